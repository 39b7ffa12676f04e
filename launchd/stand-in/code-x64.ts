import type { Listing } from "./assemble.ts";

/**
 * int launch_activate_socket(const char *name, int **fds, size_t *cnt) for Linux on x64 (System V ABI), over the table of
 * table.ts. "table" is that table, "malloc" the word that the dynamic linker puts the address of malloc into.
 * rbx is the record looked at, rbp is fds, r12 is cnt.
 */
export const x64: Listing = {
  set: "x64",
  text: `
    53  push rbx
    55  push rbp
    41 54  push r12
    48 81 ec 90 00 00 00  sub rsp,0x90 ; struct stat; with the three above, what a call wants the stack to be aligned to
    48 89 f5  mov rbp,rsi
    49 89 d4  mov r12,rdx
    48 8d 1d {table}  lea rbx,[rip+table]
  record:
    8b 03  mov eax,DWORD PTR [rbx] ; the record's size
    85 c0  test eax,eax
    0f 84 {enoent}  je enoent ; the table's end
    8b 4b 0c  mov ecx,DWORD PTR [rbx+0xc] ; where its name is
    48 01 d9  add rcx,rbx
    31 d2  xor edx,edx
  letter:
    0f b6 34 17  movzx esi,BYTE PTR [rdi+rdx*1]
    40 3a 34 11  cmp sil,BYTE PTR [rcx+rdx*1]
    0f 85 {other}  jne other
    48 ff c2  inc rdx
    85 f6  test esi,esi
    0f 85 {letter}  jne letter
    e9 {found}  jmp found ; both ended with the same letter, which is NUL
  other:
    48 01 c3  add rbx,rax
    e9 {record}  jmp record
  found:
    83 7b 04 00  cmp DWORD PTR [rbx+0x4],0x0
    0f 85 {ealready}  jne ealready ; before the descriptors: who took them may have closed them
    4c 8d 43 10  lea r8,[rbx+0x10] ; the first descriptor's entry
    44 8b 4b 08  mov r9d,DWORD PTR [rbx+0x8] ; how many are to be looked at
  socket:
    45 85 c9  test r9d,r9d
    0f 84 {take}  je take
    b8 05 00 00 00  mov eax,0x5 ; fstat; a system call leaves all registers but rax, rcx and r11
    41 8b 78 10  mov edi,DWORD PTR [r8+0x10]
    48 89 e6  mov rsi,rsp
    0f 05  syscall
    48 85 c0  test rax,rax
    0f 85 {esrch}  jne esrch ; not open in this process
    48 8b 04 24  mov rax,QWORD PTR [rsp] ; st_dev
    49 3b 00  cmp rax,QWORD PTR [r8]
    0f 85 {esrch}  jne esrch
    48 8b 44 24 08  mov rax,QWORD PTR [rsp+0x8] ; st_ino
    49 3b 40 08  cmp rax,QWORD PTR [r8+0x8]
    0f 85 {esrch}  jne esrch ; something of this process's own has that number
    49 83 c0 18  add r8,0x18
    41 ff c9  dec r9d
    e9 {socket}  jmp socket
  take:
    b8 01 00 00 00  mov eax,0x1
    87 43 04  xchg DWORD PTR [rbx+0x4],eax ; atomic by itself: one thread finds 0
    85 c0  test eax,eax
    0f 85 {ealready}  jne ealready
    48 8b 05 {malloc}  mov rax,QWORD PTR [rip+malloc]
    48 85 c0  test rax,rax
    0f 84 {enomem}  je enomem ; a program without a C library
    8b 7b 08  mov edi,DWORD PTR [rbx+0x8]
    48 c1 e7 02  shl rdi,0x2 ; an int for each
    ff d0  call rax
    48 85 c0  test rax,rax
    0f 84 {enomem}  je enomem
    48 8d 53 20  lea rdx,[rbx+0x20] ; the first descriptor
    31 c9  xor ecx,ecx
  copy:
    3b 4b 08  cmp ecx,DWORD PTR [rbx+0x8]
    0f 84 {copied}  je copied
    8b 32  mov esi,DWORD PTR [rdx]
    89 34 88  mov DWORD PTR [rax+rcx*4],esi
    48 83 c2 18  add rdx,0x18
    ff c1  inc ecx
    e9 {copy}  jmp copy
  copied:
    48 89 45 00  mov QWORD PTR [rbp+0x0],rax
    49 89 0c 24  mov QWORD PTR [r12],rcx
    31 c0  xor eax,eax
    e9 {return}  jmp return
  enomem:
    c7 43 04 00 00 00 00  mov DWORD PTR [rbx+0x4],0x0 ; not taken after all
    b8 0c 00 00 00  mov eax,0xc
    e9 {return}  jmp return
  enoent:
    b8 02 00 00 00  mov eax,0x2
    e9 {return}  jmp return
  esrch:
    b8 03 00 00 00  mov eax,0x3
    e9 {return}  jmp return
  ealready:
    b8 72 00 00 00  mov eax,0x72 ; 114
  return:
    48 81 c4 90 00 00 00  add rsp,0x90
    41 5c  pop r12
    5d  pop rbp
    5b  pop rbx
    c3  ret
`,
};
