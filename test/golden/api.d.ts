// The public API. Renewed with `bin/pinned-node --test --test-update-snapshots test/api.test.ts`.

// ---- "rouse" ----

import type { Socket as DatagramSocket } from "node:dgram";
import type { Server, Server as AnyServer, Socket } from "node:net";

export interface ActivateOptions<N extends string> {
    /** Where to listen when nothing was passed, by name. */
    readonly fallback?: Fallback<N>;
    /** This descriptor, or the passed socket of this number, and nothing else: what `--fd N` says. */
    readonly fd?: number;
    /** Reads `--fd N`, `-f N` and SERVER_LISTEN_FD as such a choice, and takes them out of process.argv and `env`. */
    readonly fdFlag?: boolean;
    /** One process per connection: a connected socket on descriptor 0 (inetd nowait, StandardInput=socket) is for this program. */
    readonly accept?: "connection";
    /**
     * Exits after so long without a connection, to be started again by the next one: milliseconds, or "30s", "10m".
     * At least 1 s, under launchd 10 s; never where the program has bound its sockets itself. Default: the definition's.
     */
    readonly idleExit?: number | string;
    /** The environment; its LISTEN_* variables are removed. Default: process.env. */
    readonly env?: NodeJS.ProcessEnv;
    /** Which signals drain and then exit 0, unless the program listens for them itself. Default: SIGTERM and SIGINT. */
    readonly signals?: readonly NodeJS.Signals[];
}

/**
 * Finds the sockets that this process was started with; where there are none, those of the fallback, which `listen` will
 * bind. Another process's sockets (LISTEN_PID) are a warning where there is a fallback. A second call gives the same sockets.
 * Follows sd_listen_fds(3), sd_notify(3), systemd.socket(5), launch_activate_socket(3), inetd(8).
 * @throws {ActivationError} where sockets were passed, but not as the protocol says
 */
export declare function activate<N extends string>(options?: ActivateOptions<N>): Activation<N>;

/** The sockets of this process by name, and its life from ready to drained. Iterating gives every socket. */
export interface Activation<N extends string = string> extends AsyncDisposable, Iterable<PassedSocket> {
    readonly source: Source;
    /** Aborts when draining starts: the moment to end what does not end by itself, such as WebSockets and event streams. */
    readonly signal: AbortSignal;
    /**
     * The one connection of a process per connection (Accept=yes, inetd nowait), for programs that read and write it
     * themselves; undefined where sockets listen. `listen` takes it for a server instead.
     */
    readonly connection: Socket | undefined;
    /** Who is at the other end of that connection: REMOTE_ADDR and REMOTE_PORT of systemd.socket(5), else what the kernel says. */
    readonly peer: Peer | undefined;
    /**
     * The one socket of that name.
     * @throws {ActivationError} missing-socket, several-sockets
     */
    socket(name: N): PassedSocket;
    /** The sockets of that name, or all; an empty list where there is none. */
    sockets(name?: N): readonly PassedSocket[];
    /**
     * Serves every socket of that name with one net, http, https or http2 server, or one of them with a dgram socket.
     * Resolves when all of them listen; when that was the last socket, READY=1 follows by itself, and where others are left,
     * three seconds later with a warning. An optional socket of the definition that is not there is passed over.
     * @throws {ActivationError} missing-socket, several-sockets, wrong-kind, unsupported-socket, socket-taken, address-in-use, permission-denied, listen-failed
     */
    listen(server: Server | DatagramSocket, socket: N | PassedSocket): Promise<void>;
    /**
     * What is written into the FIFO of that name, until draining ends it.
     * @throws {ActivationError} missing-socket, several-sockets, wrong-kind, socket-taken
     */
    fifo(name: N): Socket;
    /** Tells the service manager that the start is complete (READY=1 of sd_notify(3)), once. Without a manager it does nothing. */
    ready(status?: string): Promise<void>;
    /** One line for `systemctl status` (STATUS= of sd_notify(3)). */
    status(text: string): void;
    /** Asks the manager for `milliseconds` more, from now on, to become ready, to reload or to stop (EXTEND_TIMEOUT_USEC= of sd_notify(3)). */
    extendTimeout(milliseconds: number): void;
    /** Does `work` at each SIGHUP (`systemctl reload`), between RELOADING=1 and READY=1. Gives the function that takes this back. */
    onReload(work: ReloadWork): () => void;
    /**
     * Gives the manager a copy of an open descriptor, to be passed to the next start of this service as a socket of that name
     * (FDSTORE=1 of sd_notify(3), for units with FileDescriptorStoreMax=). Resolves when the manager has it; to false where there is none to take it.
     * @throws {TypeError} for a name that cannot be passed on
     */
    store(name: string, fd: number): Promise<boolean>;
    /** Has the manager forget what it stores under that name. */
    unstore(name: string): void;
    /** Resolves when the manager has read all that it was told (BARRIER=1 of sd_notify(3)): before a program that was told about may end. */
    barrier(): Promise<void>;
    /**
     * Ends serving without losing a request: stops accepting, answers all that was received, tells clients to go elsewhere
     * (`Connection: close`, GOAWAY) and resolves when the last connection has ended. After `deadline` milliseconds (three quarters of the definition's stopTimeout, 15 000 unless it says another)
     * it destroys what is left. Further calls wait for the first.
     */
    drain(options?: {
        readonly deadline?: number;
    }): Promise<void>;
}

/** `address`: an IP address, or of a unix socket its path, "@name", or undefined where it has none. */
export interface Peer {
    readonly address: string | undefined;
    readonly port: number | undefined;
}

/** Where a socket listens. `host` undefined: every address, IPv4 and IPv6. IPv6 hosts stand without brackets. Port 0: any free one. */
export type Address = {
    readonly type: "tcp";
    readonly host: string | undefined;
    readonly port: number;
} | {
    readonly type: "udp";
    readonly host: string | undefined;
    readonly port: number;
} | {
    readonly type: "unix";
    readonly path: string;
};

/** As in the definition: 8080, "127.0.0.1:8080", "[::1]:8080", "unix:./app.sock", "udp:8125". Port 0: any free one. */
export type AddressInput = string | number;

/** Names, and where each is bound when nothing was passed. */
export type Fallback<N extends string> = {
    readonly [K in N]?: AddressInput | readonly AddressInput[] | undefined;
};

/** Where the sockets come from. "fd": an explicit descriptor; "bind": bound by the program itself. */
export type Source = "systemd" | "launchd" | "inetd" | "fd" | "bind";

/**
 * Activation is half there, or an address cannot be had. Uncaught, it ends the program with one line and exit code 1.
 * Its message says what, where and how to mend it; `mend` repeats the last. (Members carry no comment of their own: esbuild
 * would keep it in the user's bundle.)
 */
export declare class ActivationError extends Error {
    readonly name = "ActivationError";
    readonly code: ActivationErrorCode;
    readonly mend: string;
    constructor(code: ActivationErrorCode, what: string, mend: string, cause?: unknown);
}

export type ActivationErrorCode = "bad-variable" | "name-count" | "other-process" | "lost-descriptor" | "unsupported-socket" | "missing-socket" | "several-sockets" | "socket-taken" | "wrong-kind" | "bad-option" | "bad-descriptor" | "bad-credentials" | "launchd-refused" | "bad-fallback" | "address-in-use" | "permission-denied" | "listen-failed";

/**
 * Writes debug, log and info to stdout, warn and error to stderr, as Node's own console does. In the journal they are
 * debug (7), info (6), info, warning (4) and err (3), for each line of the text.
 * Whether a stream is the journal is told by JOURNAL_STREAM, compared with fstat(2) as systemd.exec(5) says.
 */
export declare const console: JournalConsole;

/** A fresh object each time: Fastify adds to it. */
export type ListenOptions = {
    fd: number;
} | {
    path: string;
} | {
    port: number;
    host?: string | undefined;
};

/** A socket that was passed to the program under a name, or that it will bind under that name. */
export interface PassedSocket {
    readonly name: string;
    /** "other": a file of OpenFile= or the descriptor store, or a kind of socket that Node cannot serve. The program's own to use. */
    readonly type: "stream" | "datagram" | "fifo" | "other";
    /** Undefined where it cannot be known (a Node without node:ffi), and for what is no socket. */
    readonly family: "ipv4" | "ipv6" | "unix" | undefined;
    /** "connection": connected already. Undefined: neither listening nor connected, or no socket. */
    readonly role: "listener" | "connection" | undefined;
    /** The descriptor that was handed over. Undefined where the program binds the address itself. */
    readonly fd: number | undefined;
    /** Undefined where it cannot be known, and for a unix socket without a name. */
    readonly address: Address | undefined;
    /** How many connections the kernel keeps until they are accepted. */
    readonly backlog: number;
    /**
     * For a framework that must call listen itself: `server.listen(...socket.listenArguments())`. The backlog is an argument
     * of its own, because Node ignores it beside a descriptor. Such a server is the program's own to close, when
     * `activation.signal` aborts, and `activation.ready()` its own to call.
     * @throws {ActivationError} wrong-kind; in a worker, whose supervisor binds, also address-in-use, permission-denied, listen-failed
     */
    listenArguments(): [options: ListenOptions, backlog: number];
}

/** What to do at a reload. It may be asynchronous. */
export type ReloadWork = () => unknown;

/**
 * Each is the name of a credential, which is a file in `$CREDENTIALS_DIRECTORY` (systemd.exec(5)), or the path of a file. A
 * name for which there is no credential is a path relative to the working directory. Several: one certificate for each type
 * of key, such as RSA and ECDSA.
 */
export interface SecureFiles {
    /** The private key, PEM. An encrypted one is opened with the server's own `passphrase`. */
    readonly key: string | readonly string[];
    /** The certificate and then those between it and the root, PEM. May be the same file as the key. */
    readonly cert: string | readonly string[];
    /** Who may have signed the clients' certificates, where the server asks for them (`requestCert`), PEM. */
    readonly ca?: string | readonly string[];
}

/**
 * Gives a TLS server, which may have been made without them, a key and a certificate, now and again at each reload of
 * `activation`: handshakes from then on get the new ones. Where a reload fails, the old ones stay. Connections are left alone.
 * @throws {ActivationError} bad-credentials
 */
export declare function secure(activation: Pick<Activation, "onReload">, server: AnyServer, files: SecureFiles, env?: NodeJS.ProcessEnv): void;

export interface SuperviseOptions extends Omit<StartOptions, "workers"> {
    /** How many processes serve. "auto": one for each processor that this process may use. 0: this one serves, without a supervisor. */
    readonly workers: number | "auto";
}

/**
 * Makes this process the supervisor of workers, which are the same program started again: in them it calls `main`, which
 * activates and serves as ever; here it does not, and never resolves. SIGHUP starts the workers anew from the path on disk,
 * and ends the present ones when the new ones are ready. A built program has all this by "workers" in its definition.
 * @throws {ActivationError} as activate does; bad-option
 */
export declare function supervise({ workers, ...options }: SuperviseOptions, main: () => unknown): Promise<void>;

/** As the global console's methods of these names: a format and values. */
interface JournalConsole {
    debug(...values: unknown[]): void;
    log(...values: unknown[]): void;
    info(...values: unknown[]): void;
    warn(...values: unknown[]): void;
    error(...values: unknown[]): void;
}

interface StartOptions {
    readonly workers: number | "auto";
    /** The names that launchd is asked for. Default: those of the definition that the program was built with. */
    readonly sockets?: readonly string[];
}

export {};

// ---- "rouse/adopt" ----

export {};

// ---- "rouse/config" ----

/**
 * Marks the default export of rouse.config.ts, so that an editor completes and checks it. Gives back what it takes.
 * Loads nothing: the definition is validated by `rouse`, not here.
 */
export declare function defineService(definition: Definition): Definition;

/** What the user writes: rouse.config.ts, rouse.config.json or `"rouse"` in package.json. schema.ts holds the rules. */
export interface Definition {
    /** For editors; Rouse does not read it. */
    $schema?: string;
    /** The service: its units and its user-visible program. Default: package.json's name without its scope. */
    name?: string;
    version?: string;
    description?: string;
    license?: string;
    author?: string | {
        name: string;
        email?: string;
    };
    homepage?: string;
    package?: {
        name?: string;
    };
    /** The TypeScript or JavaScript file that starts the server, relative to the definition. */
    entry?: string;
    exec?: string | {
        [T in Target]?: string;
    };
    args?: string[];
    /** The key is the name that the program asks for. */
    sockets?: Record<string, number | string | SocketDefinition>;
    connection?: {
        stdin?: "socket";
        stderr?: "journal" | "socket";
        ignoreExit?: boolean;
    };
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
    directories?: {
        state?: boolean;
        cache?: boolean;
        logs?: boolean;
        configuration?: boolean;
    };
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
    systemd?: {
        minimumVersion?: number;
        overrides?: Record<string, Record<string, unknown>>;
    };
    launchd?: {
        label?: string;
        overrides?: Record<string, unknown>;
    };
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
    limits?: {
        connections?: number;
        perSource?: number;
    };
    systemd?: Record<string, unknown>;
    launchd?: Record<string, unknown>;
}

type PackageFormat = "deb" | "rpm" | "pkg";

/** An operating system and architecture that an executable is made for. */
type Target = "linux-x64" | "linux-arm64" | "darwin-x64" | "darwin-arm64";

export {};
