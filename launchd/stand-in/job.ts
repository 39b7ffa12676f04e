import { fstatSync } from "node:fs";

/** The sockets of a job by name, as the stand-in is asked for them. */
export type StandInSockets = Readonly<Record<string, readonly StandInSocket[]>>;

export interface StandInSocket {
  /** The descriptor of this process. */
  readonly fd: number;
  /** The same socket's in the child. */
  readonly descriptor: number;
}

/** What the stand-in knows: each name with its descriptors. */
export type Job = readonly { readonly name: string; readonly sockets: readonly KnownSocket[] }[];

/**
 * A descriptor, and what tells the socket on it from whatever another process has under that number: a program of Node's has
 * its own descriptors from 3 on, and a child of fork() its channel there, which is a socket too.
 */
export interface KnownSocket {
  readonly descriptor: number;
  /** st_dev and st_ino of fstat(2). */
  readonly device: bigint;
  readonly inode: bigint;
}

export function describeJob(sockets: StandInSockets): Job {
  return Object.entries(sockets).map(([name, list]) => ({
    name,
    sockets: list.map(({ fd, descriptor }) => {
      const { dev, ino } = fstatSync(fd, { bigint: true });
      return { descriptor, device: dev, inode: ino };
    }),
  }));
}
