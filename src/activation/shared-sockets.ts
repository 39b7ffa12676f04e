/** What the supervisor binds when nothing was passed: each address once, for all workers and for those that come after them. */
import { closeSync, lstatSync, unlinkSync } from "node:fs";
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { type Address, formatAddress } from "./address.ts";
import type { BindHook } from "./bind-requests.ts";
import type { BindRequest } from "./channel.ts";
import { bindSocket } from "./ffi-share.ts";
import { isStale } from "./listen.ts";

export interface SharedSockets {
  /** For all workers of one generation. */
  share(): Share;
  /** Closes what this share does not use: nobody listens there any more. */
  keep(share: Share): void;
  close(): void;
}

export interface Share {
  /** For one worker. The same question, asked a second time, means a second socket: several names may have port 0. */
  binder(): BindHook;
  readonly keys: ReadonlySet<string>;
}

export function sharedSockets(): SharedSockets {
  const bound = new Map<string, { readonly fd: number; readonly remove: () => void }>();
  // One after the other: two workers that ask for the same must not both bind it.
  let last: Promise<unknown> = Promise.resolve();

  async function take(key: string, { address, backlog }: BindRequest): Promise<{ readonly fd: number }> {
    const known = bound.get(key);
    if (known) return known;
    let result = bindSocket(address, backlog);
    const inUse = "errno" in result && result.errno === constants.errno.EADDRINUSE;
    if (inUse && address.type === "unix" && (await isStale(address.path))) {
      unlinkSync(address.path);
      result = bindSocket(address, backlog);
    }
    if ("errno" in result) throw listenError(result.errno, address);
    const entry = { fd: result.fd, remove: remover(address) };
    bound.set(key, entry);
    return entry;
  }

  function closeAll(isUnused: (key: string) => boolean): void {
    for (const [key, { fd, remove }] of bound) {
      if (!isUnused(key)) continue;
      bound.delete(key);
      remove();
      closeSync(fd);
    }
  }

  return {
    share() {
      const keys = new Set<string>();
      return {
        keys,
        binder() {
          const asked = new Map<string, number>();
          return async (request) => {
            const name = `${request.name} ${formatAddress(request.address)}`;
            const times = asked.get(name) ?? 0;
            const answer = last.then(() => take(`${name} ${times}`, request));
            last = answer.catch(() => {});
            try {
              const { fd } = await answer;
              asked.set(name, times + 1);
              keys.add(`${name} ${times}`);
              return { fd };
            } catch (error) {
              const { code = "", message } = error as NodeJS.ErrnoException;
              return { error: { code, message } };
            }
          };
        },
      };
    },
    keep: ({ keys }) => closeAll((key) => !keys.has(key)),
    close: () => closeAll(() => true),
  };
}

// --- internal ---

/** In Node's words: "listen EADDRINUSE: address already in use :::8080". */
function listenError(errno: number, address: Address): Error {
  const { ENOENT, EACCES } = constants.errno;
  // As libuv has it where the folder of a unix path is not there.
  const shown = address.type === "unix" && errno === ENOENT ? EACCES : errno;
  const [code, text] = getSystemErrorMap().get(-shown) ?? [`errno ${errno}`, "failed"];
  const place = address.type === "unix" ? address.path : `${address.host ?? "::"}:${address.port}`;
  return Object.assign(new Error(`listen ${code}: ${text} ${place}`), { code });
}

/** Takes the path of a unix socket away, unless somebody else's lies there by now. */
function remover(address: Address): () => void {
  if (address.type !== "unix") return () => {};
  const { path } = address;
  const mine = identity(path);
  return () => {
    try {
      if (identity(path) === mine) unlinkSync(path);
    } catch {
      // Gone already, or no longer ours to remove.
    }
  };
}

function identity(path: string): string {
  const { ino, birthtimeMs } = lstatSync(path);
  return `${ino} ${birthtimeMs}`;
}
