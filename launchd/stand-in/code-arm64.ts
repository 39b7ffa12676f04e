import type { Listing } from "./assemble.ts";

/**
 * int launch_activate_socket(const char *name, int **fds, size_t *cnt) for Linux on arm64 (AAPCS64), over the table of
 * table.ts. "table" is that table, "malloc" the word that the dynamic linker puts the address of malloc into.
 * x19 is the record looked at, x20 is fds, x21 is cnt.
 */
export const arm64: Listing = {
  set: "arm64",
  text: `
    a9b57bfd  stp x29, x30, [sp, #-176]! ; 48 bytes of registers, 128 of struct stat
    910003fd  mov x29, sp
    a90153f3  stp x19, x20, [sp, #16]
    f90013f5  str x21, [sp, #32]
    aa0103f4  mov x20, x1
    aa0203f5  mov x21, x2
    10000013 {table}  adr x19, table
  record:
    b9400269  ldr w9, [x19] ; the record's size
    34000009 {enoent}  cbz w9, enoent ; the table's end
    b9400e6a  ldr w10, [x19, #12] ; where its name is
    8b0a026a  add x10, x19, x10
    aa0003eb  mov x11, x0
  letter:
    3840156c  ldrb w12, [x11], #1
    3840154d  ldrb w13, [x10], #1
    6b0d019f  cmp w12, w13
    54000001 {other}  b.ne other
    3500000c {letter}  cbnz w12, letter
    14000000 {found}  b found ; both ended with the same letter, which is NUL
  other:
    8b090273  add x19, x19, x9
    14000000 {record}  b record
  found:
    b9400669  ldr w9, [x19, #4]
    35000009 {ealready}  cbnz w9, ealready ; before the descriptors: who took them may have closed them
    9100426a  add x10, x19, #0x10 ; the first descriptor's entry
    b9400a6b  ldr w11, [x19, #8] ; how many are to be looked at
  socket:
    3400000b {take}  cbz w11, take
    d2800a08  mov x8, #0x50 ; fstat; a system call leaves all registers but x0
    b9401140  ldr w0, [x10, #16]
    9100c3e1  add x1, sp, #0x30
    d4000001  svc #0x0
    b5000000 {esrch}  cbnz x0, esrch ; not open in this process
    a94337ec  ldp x12, x13, [sp, #48] ; st_dev and st_ino
    a9403d4e  ldp x14, x15, [x10]
    eb0e019f  cmp x12, x14
    fa4f01a0  ccmp x13, x15, #0x0, eq
    54000001 {esrch}  b.ne esrch ; something of this process's own has that number
    9100614a  add x10, x10, #0x18
    5100056b  sub w11, w11, #0x1
    14000000 {socket}  b socket
  take:
    91001269  add x9, x19, #0x4
    5280002a  mov w10, #0x1
  exchange:
    885ffd2b  ldaxr w11, [x9]
    880cfd2a  stlxr w12, w10, [x9]
    3500000c {exchange}  cbnz w12, exchange ; somebody came between
    3500000b {ealready}  cbnz w11, ealready ; one thread finds 0
    58000009 {malloc}  ldr x9, malloc
    b4000009 {enomem}  cbz x9, enomem ; a program without a C library
    b9400a60  ldr w0, [x19, #8]
    d37ef400  lsl x0, x0, #2 ; an int for each
    d63f0120  blr x9
    b4000000 {enomem}  cbz x0, enomem
    aa0003e9  mov x9, x0
    9100826a  add x10, x19, #0x20 ; the first descriptor
    b9400a6b  ldr w11, [x19, #8]
  copy:
    3400000b {copied}  cbz w11, copied
    b841854c  ldr w12, [x10], #24
    b800452c  str w12, [x9], #4
    5100056b  sub w11, w11, #0x1
    14000000 {copy}  b copy
  copied:
    b9400a6b  ldr w11, [x19, #8]
    f9000280  str x0, [x20]
    f90002ab  str x11, [x21]
    52800000  mov w0, #0x0
    14000000 {return}  b return
  enomem:
    b900067f  str wzr, [x19, #4] ; not taken after all
    52800180  mov w0, #0xc
    14000000 {return}  b return
  enoent:
    52800040  mov w0, #0x2
    14000000 {return}  b return
  esrch:
    52800060  mov w0, #0x3
    14000000 {return}  b return
  ealready:
    52800e40  mov w0, #0x72 ; 114
  return:
    f94013f5  ldr x21, [sp, #32]
    a94153f3  ldp x19, x20, [sp, #16]
    a8cb7bfd  ldp x29, x30, [sp], #176
    d65f03c0  ret
`,
};
