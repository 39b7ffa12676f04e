/** READY=1: by itself when every socket is listened on, and in the end also where the program leaves one alone. */
import type { Manager } from "../../systemd/notify.ts";
import type { Source } from "./choose.ts";
import { describe, type OwnedSocket } from "./passed-socket.ts";
import { print } from "./report.ts";

export interface Readiness {
  readonly said: boolean;
  /** Says READY=1, once, with a status if one is given; and once which passed sockets nobody listens on. */
  say(status?: string): void;
  /** To be called when a socket has begun to be served. */
  consider(): void;
  /** From now on only a status is told. */
  end(): void;
}

export function createReadiness(source: Source, sockets: readonly OwnedSocket[], manager: Manager): Readiness {
  let said = false;
  let ended = false;
  let patience: NodeJS.Timeout | undefined;

  const readiness: Readiness = {
    get said() {
      return said;
    },
    say(status) {
      clearTimeout(patience);
      const now = !said && !ended;
      said ||= now;
      manager.tell(now && "READY=1", status !== undefined && `STATUS=${status}`);
      const left = now && source !== "bind" ? sockets.filter(isLeftAlone) : [];
      if (left.length > 0) print(`warning: nothing listens on ${describe(...left)}`);
    },
    consider() {
      clearTimeout(patience);
      // Not before the program's next step, which may be a ready() with a status.
      if (!sockets.some((socket) => socket.state !== "listening" && isToBeServed(socket))) setImmediate(say);
      // A program that leaves a socket alone would never be ready, and systemd would end it after TimeoutStartSec=, again and again.
      else patience = setTimeout(say, PATIENCE).unref();
    },
    end() {
      ended = true;
      clearTimeout(patience);
    },
  };
  const say = () => readiness.said || readiness.say();
  return readiness;
}

// --- internal ---

/** Milliseconds from one listen to the next, after which the program is taken to be ready without the sockets that are left. */
const PATIENCE = 3_000;

/** Not what the program has stored itself, nor files of OpenFile=. */
function isToBeServed(socket: OwnedSocket): boolean {
  return socket.role === "listener" || socket.type === "fifo";
}

function isLeftAlone(socket: OwnedSocket): boolean {
  return socket.state === "free" && !socket.lent && isToBeServed(socket);
}
