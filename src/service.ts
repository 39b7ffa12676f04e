/**
 * A service as plain data: everything that the definition said, validated, with every default filled in.
 * The platform rooms (systemd/, launchd/, packaging/) read this and nothing else of the definition.
 */
export interface Service {
  /** The service: its units, its user-visible program. */
  readonly name: string;
  /** As in package.json (semver), for example "1.2.3-beta.1". */
  readonly version: string;
  readonly description: string;
  /** An SPDX expression, for example "MIT". */
  readonly license: string;
  readonly author: Author;
  readonly homepage: string | undefined;
  /** The archive's name where a package format shows it. */
  readonly packageName: string;
  /** Absolute path of the folder that holds the definition. */
  readonly root: string;
  /** Absolute path of the TypeScript or JavaScript file that starts the server; undefined where `exec` is. */
  readonly entry: string | undefined;
  /** Absolute path of any other program that is the server, one for every target or one for each. */
  readonly exec: Exec | undefined;
  readonly args: readonly string[];
  /** In the order of the definition. */
  readonly sockets: readonly ServiceSocket[];
  /** Of the process of each connection, where a socket has `accept`. */
  readonly connection: Connection;
  readonly start: "on-demand" | "boot";
  readonly permissions: Permissions;
  readonly directories: Directories;
  readonly environment: Readonly<Record<string, string>>;
  /** Seconds between the stop signal and the kill. */
  readonly stopTimeout: number;
  /** Seconds without a sign of life after which the service is killed and started again. */
  readonly watchdog: number | undefined;
  /** Seconds without a connection after which the service ends, until the next connection starts it again. */
  readonly idleExit: number | undefined;
  /** How many processes serve under a supervisor; "auto": as the machine has CPUs; 0: the program serves by itself. */
  readonly workers: number | "auto";
  /** Secrets that the manager reads and hands over: what the program finds in $CREDENTIALS_DIRECTORY -> absolute path, or a name that systemd knows. */
  readonly credentials: Readonly<Record<string, string>>;
  readonly targets: readonly Target[];
  readonly packages: readonly PackageFormat[];
  readonly systemd: { readonly minimumVersion: number };
  /** Absolute paths of the files that this was read from: the definition, what it imports, package.json. */
  readonly readFrom: readonly string[];
}

export type Exec = string | { readonly [T in Target]?: string };

export interface Author {
  readonly name: string;
  readonly email: string | undefined;
}

/** One named socket. Every address of it carries the same name to the program. */
export interface ServiceSocket {
  readonly name: string;
  /** At least one; all for connections (tcp, unix) or all for datagrams (udp). */
  readonly listen: readonly Address[];
  /** Where the program itself would listen: that call receives this socket. */
  readonly adopt: Address | undefined;
  readonly backlog: number | undefined;
  readonly noDelay: boolean;
  readonly freeBind: boolean | undefined;
  /** Octal, for example "0660". Only for unix sockets. */
  readonly mode: string | undefined;
  /** Only for unix sockets. */
  readonly group: string | undefined;
  /** The program runs without it too. */
  readonly optional: boolean;
  /** "connection": each connection has a process of its own (systemd.socket(5), Accept=yes; inetd's nowait). */
  readonly accept: "connection" | undefined;
  readonly limits: Limits;
}

/** How many connections of a socket with `accept` there may be at a time; further ones are refused. */
export interface Limits {
  /** systemd.socket(5), MaxConnections=; its default is 64. */
  readonly connections: number;
  /** MaxConnectionsPerSource=: of one IP address or user; undefined: no limit. */
  readonly perSource: number | undefined;
}

/** Where the process of a connection has it, and what its end means. */
export interface Connection {
  /** "socket": on descriptors 0 and 1, as inetd gives it. Undefined: by LISTEN_FDS. */
  readonly stdin: "socket" | undefined;
  /** "socket": the client reads what the process writes to its standard error. */
  readonly stderr: "journal" | "socket";
  /** Whether an exit code other than 0 is no failure. */
  readonly ignoreExit: boolean;
}

export interface Permissions {
  /** "none": only the passed sockets. "outbound": may also connect out and resolve names. */
  readonly network: "none" | "outbound";
}

/** Which directories of its own the service gets. */
export interface Directories {
  readonly state: boolean;
  readonly cache: boolean;
  readonly logs: boolean;
  readonly configuration: boolean;
}

/** An operating system and architecture that an executable is made for. */
export type Target = "linux-x64" | "linux-arm64" | "darwin-x64" | "darwin-arm64";
export type PackageFormat = "deb" | "rpm" | "pkg";

export type { Address } from "./activation/address.ts";

import type { Address } from "./activation/address.ts";
