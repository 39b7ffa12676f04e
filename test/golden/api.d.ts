// The public API. Renewed with `bin/pinned-node --test --test-update-snapshots test/api.test.ts`.

// ---- "rouse" ----

import type { Server } from "node:net";

export interface ActivateOptions<N extends string> {
    /** Where to listen when nothing was passed, by name. */
    readonly fallback?: Fallback<N>;
    /** The environment; its LISTEN_* variables are removed. Default: process.env. */
    readonly env?: NodeJS.ProcessEnv;
    /** Which signals drain and then exit 0, unless the program listens for them itself. Default: SIGTERM and SIGINT. */
    readonly signals?: readonly NodeJS.Signals[];
}

/**
 * Finds the sockets that this process was started with; where there are none, those of the fallback, which `listen` will
 * bind. Another process's sockets (LISTEN_PID) are a warning where there is a fallback. A second call gives the same sockets.
 * Follows sd_listen_fds(3), sd_notify(3), systemd.socket(5).
 * @throws {ActivationError} where sockets were passed, but not as the protocol says
 */
export declare function activate<N extends string>(options?: ActivateOptions<N>): Activation<N>;

/** The sockets of this process by name, and its life from ready to drained. */
export interface Activation<N extends string = string> extends AsyncDisposable {
    readonly source: Source;
    /** Aborts when draining starts: the moment to end what does not end by itself, such as WebSockets and event streams. */
    readonly signal: AbortSignal;
    /**
     * The one socket of that name.
     * @throws {ActivationError} missing-socket, several-sockets
     */
    socket(name: N): PassedSocket;
    /** The sockets of that name, or all; an empty list where there is none. */
    sockets(name?: N): readonly PassedSocket[];
    /**
     * Serves every socket of that name with one net, http, https or http2 server. Resolves when all of them listen;
     * when that was the last socket, READY=1 follows by itself, and where others are left, three seconds later with a warning.
     * @throws {ActivationError} missing-socket, socket-taken, address-in-use, permission-denied, listen-failed
     */
    listen(server: Server, name: N): Promise<void>;
    /** Tells the service manager that the start is complete (READY=1 of sd_notify(3)), once. Without a manager it does nothing. */
    ready(status?: string): Promise<void>;
    /** One line for `systemctl status` (STATUS= of sd_notify(3)). */
    status(text: string): void;
    /**
     * Ends serving without losing a request: stops accepting, answers all that was received, tells clients to go elsewhere
     * (`Connection: close`, GOAWAY) and resolves when the last connection has ended. After `deadline` milliseconds (three quarters of the definition's stopTimeout, 15 000 unless it says another)
     * it destroys what is left. Further calls wait for the first.
     */
    drain(options?: {
        readonly deadline?: number;
    }): Promise<void>;
}

/** Where the sockets come from: handed over by systemd's protocol, or bound by the program itself. */
export type Source = "systemd" | "bind";

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

/** As in the definition: 8080, "127.0.0.1:8080", "[::1]:8080", "unix:./app.sock". Port 0: any free one. */
export type AddressInput = string | number;

/** Names, and where each is bound when nothing was passed. */
export type Fallback<N extends string> = {
    readonly [K in N]?: AddressInput | readonly AddressInput[] | undefined;
};

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

export type ActivationErrorCode = "bad-variable" | "name-count" | "other-process" | "lost-descriptor" | "unsupported-socket" | "missing-socket" | "several-sockets" | "socket-taken" | "bad-fallback" | "address-in-use" | "permission-denied" | "listen-failed";

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
    readonly type: "stream";
    /** Undefined where it cannot be known (a Node without node:ffi). */
    readonly family: "ipv4" | "ipv6" | "unix" | undefined;
    readonly role: "listener";
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
     */
    listenArguments(): [options: ListenOptions, backlog: number];
}

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
    credentials?: Record<string, string>;
    /** A duration: a number and ms, s, m or h. */
    watchdog?: string;
    stopTimeout?: string;
    idleExit?: string;
    workers?: number;
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
