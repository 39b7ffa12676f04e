/** A call that failed, as a Node program tells of it. */
export interface Failure {
  /** The errno's name, or c-ares' and getaddrinfo's: "EROFS", "EAI_AGAIN". */
  readonly code: string;
  /** As Node calls it: "open", "connect", "spawn", "uv_os_setpriority". */
  readonly call: string;
  /** The path, program, address or name that it was about; "" where it is not told. */
  readonly subject: string;
  /** As it was printed. */
  readonly text: string;
}

/** What a line of output tells of. A line of JSON, as loggers write it, is as good as any. */
export function readFailures(line: string): Failure[] {
  // Longer ones are data.
  if (line.length > 20_000 || !/E[A-Z]{2}|returned|syscall|failed to map/.test(line)) return [];
  const plain = line.replaceAll("\\\\", "\\").replaceAll('\\"', '"');
  for (const { pattern, read } of shapes) {
    const found = [...plain.matchAll(pattern)].map((match) => ({ text: match[0].trim(), ...read(match) }));
    if (found.length > 0) return found;
  }
  return [];
}

// --- internal ---

interface Shape {
  readonly pattern: RegExp;
  readonly read: (match: RegExpMatchArray) => Omit<Failure, "text"> & Partial<Failure>;
}

/** Of node:fs, node:child_process, node:net and node:dgram, node:dns, node:os and node:process, and of dlopen, as Node 26 words them. */
const shapes: readonly Shape[] = [
  {
    // EROFS: read-only file system, open '/var/x'; of two paths the second is the one that is made.
    pattern: /\b(E[A-Z0-9]+): [a-z][^,'"]*, ([a-z]+)(?: '([^']*)'(?: -> '([^']*)')?)?/g,
    read: ([, code, call, path = "", other]) => ({ code: code!, call: call!, subject: other ?? path }),
  },
  {
    pattern: /\bspawn(?:Sync)? (\S.*?) (E[A-Z]+)\b/g,
    read: ([, program, code]) => ({ code: code!, call: "spawn", subject: program! }),
  },
  {
    // connect EAFNOSUPPORT 192.0.2.1:80 - Local (0.0.0.0:0); listen EACCES: permission denied 0.0.0.0:80
    pattern: /\b(connect|bind|listen|send|socket) (E[A-Z]+)(?:: [a-z]+(?: [a-z]+)*)?(?: ([^\s"',)]+))?/g,
    read: ([, call, code, subject = ""]) => ({ code: code!, call: call!, subject }),
  },
  {
    pattern: /\b(getaddrinfo|getnameinfo|query[A-Z][A-Za-z]*) (E[A-Z_]+)(?: ([^\s"',)]+))?/g,
    read: ([, call, code, subject = ""]) => ({ code: code!, call: call!, subject }),
  },
  {
    pattern: /\b(uv_\w+) returned (?:(E[A-Z]+)|Unknown system error -?(\d+))/g,
    read: ([, call, code, number]) => ({ code: code ?? errnos[number!] ?? number!, call: call!, subject: "" }),
  },
  {
    // The message has only the errno, and that is the one that these give.
    pattern: /\bsyscall"?: ?['"](sete?[ug]id|setgroups|initgroups)['"]/g,
    read: ([, call]) => ({ code: "EPERM", call: call!, subject: "", text: `${call} EPERM` }),
  },
  {
    pattern: /(?:^|\s|")(\/[^\s:"]+): failed to map segment from shared object/g,
    read: ([, path]) => ({ code: "EPERM", call: "dlopen", subject: path! }),
  },
];

/** Those of Linux that libuv has no name for. */
const errnos: Readonly<Record<string, string>> = { "97": "EAFNOSUPPORT" };
