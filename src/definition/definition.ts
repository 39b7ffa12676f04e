import type { PackageFormat, Target } from "../service.ts";

/** What the user writes: rouse.config.ts, rouse.config.json or `"rouse"` in package.json. schema.ts holds the rules. */
export interface Definition {
  /** For editors; Rouse does not read it. */
  $schema?: string;
  /** The service: its units and its user-visible program. Default: package.json's name without its scope. */
  name?: string;
  version?: string;
  description?: string;
  license?: string;
  author?: string | { name: string; email?: string };
  homepage?: string;
  package?: { name?: string };
  /** The TypeScript or JavaScript file that starts the server, relative to the definition. */
  entry?: string;
  exec?: string | { [T in Target]?: string };
  args?: string[];
  /** The key is the name that the program asks for. */
  sockets?: Record<string, number | string | SocketDefinition>;
  connection?: { stdin?: "socket"; stderr?: "journal" | "socket"; ignoreExit?: boolean };
  manager?: "system" | "user";
  template?: boolean;
  start?: "on-demand" | "boot";
  user?: string;
  permissions?: {
    network?: "none" | "outbound";
    read?: string[];
    write?: string[];
    devices?: string[];
    capabilities?: string[];
    subprocesses?: boolean;
  };
  directories?: { state?: boolean; cache?: boolean; logs?: boolean; configuration?: boolean };
  environment?: Record<string, string>;
  files?: string[];
  /** Name in $CREDENTIALS_DIRECTORY -> absolute path, or a name that systemd knows. */
  credentials?: Record<string, string>;
  /** A duration, as the two below: a number and ms, s, m or h. */
  watchdog?: string;
  stopTimeout?: string;
  idleExit?: string;
  workers?: number | "auto";
  targets?: Target[];
  packages?: PackageFormat[];
  systemd?: { minimumVersion?: number; overrides?: Record<string, Record<string, unknown>> };
  launchd?: { label?: string; overrides?: Record<string, unknown> };
}

export interface SocketDefinition {
  listen: number | string | (number | string)[];
  /** The address that the program itself listens on. */
  adopt?: number | string;
  backlog?: number;
  noDelay?: boolean;
  freeBind?: boolean;
  /** Octal, only for unix sockets. */
  mode?: string;
  group?: string;
  optional?: boolean;
  accept?: "connection";
  limits?: { connections?: number; perSource?: number };
  systemd?: Record<string, unknown>;
  launchd?: Record<string, unknown>;
}
