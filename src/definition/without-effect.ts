import type { Problem } from "../problem.ts";
import type { Definition } from "./definition.ts";

/**
 * Warnings of what a definition says, `rouse build` does not do yet, and the program would behave otherwise for: a run
 * without it would be another program in silence. What is about packages and accounts alone passes.
 * @param sandbox whether it is to run under the unit's sandbox, which then is narrower than the definition says
 */
export function findWithoutEffect(definition: Definition, sandbox: boolean): Problem[] {
  const { systemd, launchd, permissions = {}, sockets = {} } = definition;
  const settings: [key: string, value: object | boolean | undefined][] = [
    ["systemd.overrides", systemd?.overrides],
    ["launchd.overrides", launchd?.overrides],
    ...Object.entries(sockets).flatMap(([name, socket]): [string, object | undefined][] =>
      typeof socket === "object"
        ? [
            [`sockets.${name}.systemd`, socket.systemd],
            [`sockets.${name}.launchd`, socket.launchd],
          ]
        : [],
    ),
  ];
  const widened = (["read", "write", "devices", "capabilities", "subprocesses"] as const).map(
    (key) => [`permissions.${key}`, permissions[key]] as const,
  );
  return [
    ...settings.filter(isSaid).map(([key]) => warning(key, `"${key}" has no effect on a run`)),
    ...(sandbox ? widened : [])
      .filter(isSaid)
      .map(([key]) => warning(key, `"${key}" is not done yet: the sandbox of this run does not have it`)),
  ];
}

// --- internal ---

function isSaid([, value]: readonly [string, object | boolean | undefined]): boolean {
  return typeof value === "object" ? Object.keys(value).length > 0 : value === true;
}

const warning = (key: string, what: string): Problem => ({ code: "without-effect", what, where: { key } });
