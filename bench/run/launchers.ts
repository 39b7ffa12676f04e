/** What starts a server for somebody who develops it: ours and its peers. */
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { isOnPath } from "../../test/helpers/tools.ts";
import type { Command } from "../common/build.ts";
import type { ServerName } from "./service-folder.ts";

export interface Launcher {
  readonly name: string;
  /** Which of the servers it can start. */
  readonly servers: readonly ServerName[];
  /** How to get what is missing here. Undefined where all of it is there. */
  readonly missing: string | undefined;
  /** A command that is run in the server's folder and ends up serving on this port of 127.0.0.1; where it passes nothing, PORT says which. */
  command(file: string, port: number): Command;
}

export const byDefinition = "rouse run DIR";
export const byProgram = "rouse run -- node";
export const alone = "node";

/** Each starts the server once. @param rouse path of the program */
export const launchers = (rouse: string): Launcher[] => [
  launcher(alone, [], (file) => [node, file]),
  launcher(byProgram, [], (file, port) => [rouse, "run", "-s", `http=127.0.0.1:${port}`, "--", node, file]),
  launcher(byDefinition, [], (_file, port) => [rouse, "run", ".", "-s", `http=127.0.0.1:${port}`], ["draining"]),
  launcher("systemfd node", ["systemfd"], (file, port) => [...systemfd(port), node, file]),
  launcher("systemd-socket-activate node", ["systemd-socket-activate"], (file, port) => [
    "systemd-socket-activate",
    `--listen=127.0.0.1:${port}`,
    node,
    file,
  ]),
];

/** Each starts it again whenever its folder changes. @param rouse path of the program */
export const watchers = (rouse: string): Launcher[] => [
  launcher(
    `${byDefinition} --watch`,
    [],
    (_file, port) => [rouse, "run", ".", "--watch", "-s", `http=127.0.0.1:${port}`],
    ["draining"],
  ),
  launcher(`rouse run --watch -- node`, [], (file, port) => [
    ...[rouse, "run", "--watch", "--watch-path", ".", "-s", `http=127.0.0.1:${port}`],
    ...["--", node, file],
  ]),
  launcher("systemfd, watchexec -r", ["systemfd", "watchexec"], (file, port) => [
    ...systemfd(port, "--no-pid"),
    ...["watchexec", "--quiet", "--restart", "--shell=none", "--", node, file],
  ]),
  launcher("systemfd, entr -r", ["systemfd", "entr"], (file, port) => [
    ...systemfd(port, "--no-pid"),
    // Not as a pipe, so that the shell becomes what it starts.
    ...["sh", "-c", 'exec entr -nr "$0" "$1" <<END\n$(ls *.cjs)\nEND', node, file],
  ]),
  launcher("node --watch", [], (file) => [node, "--watch", "--watch-preserve-output", file]),
];

/** The PATH with where cargo puts what it installs. */
export const path: string = [process.env.PATH, join(homedir(), ".cargo/bin")].join(delimiter);

// --- internal ---

const node = process.execPath;

/** Where each comes from. */
const sources: Readonly<Record<string, string>> = {
  systemfd: "cargo install systemfd",
  watchexec: "cargo install watchexec-cli",
  entr: "apt-get install entr",
  "systemd-socket-activate": "apt-get install systemd",
};

function launcher(
  name: string,
  needs: readonly string[],
  command: Launcher["command"],
  servers: readonly ServerName[] = ["plain", "draining"],
): Launcher {
  const missing = needs.filter((program) => !isOnPath(program, path));
  return {
    name,
    servers,
    missing: missing.map((program) => sources[program]).join(", ") || undefined,
    command,
  };
}

/** Its own backlog of 1 would make clients wait for a second where the server keeps it, as the runtime does. */
function systemfd(port: number, ...more: string[]): string[] {
  return ["systemfd", "--quiet", "--backlog", "511", ...more, "--socket", `http::127.0.0.1:${port}`, "--"];
}
