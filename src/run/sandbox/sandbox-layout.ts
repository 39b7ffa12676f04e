import { basename, dirname, join } from "node:path";

/** What of the machine is seen inside of the sandbox of a run, beyond what an installed service sees. */
export interface SandboxLayout {
  /** As it is started inside. */
  readonly command: readonly [string, ...string[]];
  /** Outside -> inside: Node, and the folder of the program. Nothing else. */
  readonly files: ReadonlyMap<string, string>;
  /** Folders that are empty inside, because no installed service has the project's files. */
  readonly hidden: readonly string[];
}

/**
 * ProtectHome=yes and PrivateTmp=yes take away where sources, caches and the run's folder usually lie, and nothing can be bound
 * below a path that ProtectHome= has made inaccessible: so everything gets a place in the service's own /tmp.
 * @param program the folder of the program
 * @param root of the project
 * @param run names a folder in /tmp that is not there
 * @param name what `ps` shall show
 */
export function layOut(
  command: readonly [string, ...string[]],
  {
    program,
    root,
    run,
    name,
  }: { readonly program: string; readonly root: string; readonly run: string; readonly name: string },
): SandboxLayout {
  const [node, ...args] = command;
  const inside = { node: join("/tmp", run, "bin", name), program: join("/tmp", run, basename(program)) };
  return {
    command: [
      inside.node,
      ...args.map((arg) => (isBelow(arg, [program]) ? inside.program + arg.slice(program.length) : arg)),
    ],
    files: new Map([
      [node, inside.node],
      [program, inside.program],
    ]),
    hidden: isNeeded(root) || isBelow(root, [...HOMES, ...TEMPORARY]) ? [] : [root],
  };
}

/** Whether the path is one of the folders, or lies in one. */
export function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** What ProtectHome= takes away. */
export const HOMES: readonly string[] = ["/home", "/root", "/run/user"];
/** Of which PrivateTmp= gives each service its own. */
export const TEMPORARY: readonly string[] = ["/tmp", "/var/tmp"];

// --- internal ---

/** A part of the system, without which nothing runs. */
function isNeeded(root: string): boolean {
  const system = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/dev", "/sys", "/run", "/var", "/tmp"];
  return root === dirname(root) || system.some((path) => isBelow(path, [root]));
}
