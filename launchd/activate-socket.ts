/** The receiving half of launchd's socket passing: launch_activate_socket(3), name by name, since launchd offers no list. */
import { constants } from "node:os";
import { ActivationError } from "../src/activation/error.ts";
import { launchActivateSocket } from "../src/activation/ffi.ts";
import { debug } from "../src/activation/report.ts";

/**
 * Takes every descriptor that launchd holds for this process under a name; none where launchd does not manage it, or its
 * job lacks the name (ENOENT; ESRCH is given for both). launchd gives each name once in a process's life.
 * @throws {ActivationError} launchd-refused, for any other errno
 */
export function activateSocket(name: string): readonly number[] {
  const answer = launchActivateSocket(name);
  debug(() => `launchd: "${name}" gives ${JSON.stringify(answer ?? "no launch_activate_socket")}`);
  if (!answer) return [];
  if (!("errno" in answer)) return answer;
  const { ENOENT, ESRCH, EALREADY } = constants.errno;
  if (answer.errno === ENOENT || answer.errno === ESRCH) return [];
  const known = Object.entries(constants.errno).find(([, number]) => number === answer.errno);
  throw new ActivationError(
    "launchd-refused",
    `launchd does not give the socket "${name}": ${known?.[0] ?? `errno ${answer.errno}`}`,
    answer.errno === EALREADY
      ? "Other code in this process has taken it: take it in one place only"
      : "See `launchctl print` for the job, and Sockets in its plist",
  );
}
