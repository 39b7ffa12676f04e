import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Problem } from "../problem.ts";
import type { Exec, Service } from "../service.ts";
import type { Definition } from "./definition.ts";
import type { Purpose } from "./purpose.ts";

/** The definition's `exec` with absolute paths. */
export function resolveExec({ exec }: Definition, root: string): Exec | undefined {
  if (typeof exec !== "object") return exec === undefined ? undefined : resolve(root, exec);
  return Object.fromEntries(Object.entries(exec).map(([target, path]) => [target, resolve(root, path)]));
}

/** The absolute path of the program for a machine, for example "linux-x64"; undefined where there is none for it. */
export function programFor(exec: Exec, host: string): string | undefined {
  return typeof exec === "string" ? exec : (exec as Readonly<Record<string, string>>)[host];
}

/** What is wrong with a service whose server is a program of any language: to be asked where `exec` is there. */
export function execProblems(service: Service, purpose: Purpose): Problem[] {
  const exec = service.exec!;
  if (service.entry !== undefined) {
    return [problem("exec", '"entry" and "exec" both say what the server is', "leave one of them out")];
  }
  if (purpose.for === "run" && programFor(exec, purpose.host) === undefined) {
    const there = Object.keys(exec).join(", ") || "none";
    return [problem("exec", `"exec" names no program for ${purpose.host}, only: ${there}`, `add "${purpose.host}"`)];
  }
  // On one machine the programs of the others need not be there.
  const needed = Object.entries(typeof exec === "string" ? { "": exec } : exec).filter(
    ([target]) => purpose.for === "build" || target === "" || target === purpose.host,
  );
  return [
    ...needed.flatMap(([target, path]) => programFileProblems(target === "" ? "exec" : `exec.${target}`, path)),
    ...runtimeProblems(service),
  ];
}

/** What is wrong with the file of a program. */
export function programFileProblems(key: string, path: string): Problem[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    return [problem(key, `there is no file ${path}`, "exec is relative to the folder of the definition")];
  }
  try {
    accessSync(path, constants.X_OK);
    return [];
  } catch {
    return [problem(key, `${path} cannot be executed`, `run \`chmod +x ${path}\``)];
  }
}

// --- internal ---

const problem = (key: string, what: string, mend: string): Problem => ({ code: "no-exec", what, where: { key }, mend });

/** What our runtime does, which is put in front of an entry and of nothing else. */
function runtimeProblems({ idleExit, workers, sockets }: Service): Problem[] {
  const asked: [key: string, isAsked: boolean, why: string][] = [
    ["idleExit", idleExit !== undefined, "nobody would count its connections"],
    ["workers", workers !== 0, "nobody would start them"],
    ...sockets.map(({ name, adopt }): [string, boolean, string] => [
      `sockets.${name}.adopt`,
      adopt !== undefined,
      "nobody would give its listen call the socket",
    ]),
  ];
  return asked
    .filter(([, isAsked]) => isAsked)
    .map(([key, , why]) => ({
      code: "needs-runtime",
      what: `"${key.split(".").at(-1)}" needs an entry, and this service is a program of its own: ${why}`,
      where: { key },
      mend: "leave it out",
    }));
}
