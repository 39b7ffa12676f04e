import type { Address, Limits, ServiceSocket } from "../service.ts";

export type { Limits } from "../service.ts";

/** How the sockets reach the program: by which of the runtime's sources it would find them. */
export type HandOver = "systemd" | "launchd" | "inetd" | "fd" | "bind";

/** A socket to open: of the definition, or asked for on the command line. */
export interface WantedSocket extends Omit<ServiceSocket, "listen" | "adopt"> {
  /** At least one. */
  readonly listen: readonly WantedAddress[];
  /** What a URL of it begins with: said by systemfd's types, else guessed from name and port. */
  readonly scheme: "http" | "https" | undefined;
}

export interface WantedAddress {
  readonly address: Address;
  /** Said on the command line: it is taken as it is, or refused. One of the definition is mapped where this user may not have it. */
  readonly isExplicit: boolean;
}

/** A socket that the launcher has opened and keeps. */
export interface OpenSocket {
  readonly name: string;
  /** Of the launcher; close-on-exec. */
  readonly fd: number;
  readonly type: "stream" | "datagram";
  /** Where it listens in truth: with the port that the kernel chose, or the mapped one. */
  readonly address: Address;
  /** What the definition says, where that is something else. */
  readonly insteadOf: Address | undefined;
  /** For a person to open or to copy: "http://localhost:8080/", "udp://127.0.0.1:8125", or a unix path. */
  readonly url: string;
  readonly accept: "connection" | undefined;
  readonly limits: Limits;
  /** Closes it, and removes the socket file that it has made, if it is still that one. */
  close(): void;
}
