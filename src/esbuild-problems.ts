import { isAbsolute, join } from "node:path";
import type { BuildFailure, Message } from "esbuild";
import type { Problem } from "./problem.ts";

/**
 * What esbuild found wrong, as Problems with the place in the user's file.
 * @param error what `build` rejected with; anything but a BuildFailure is thrown on
 * @param root the folder that esbuild's paths are relative to
 */
export function esbuildProblems(error: unknown, root: string): Problem[] {
  const { errors } = error as Partial<BuildFailure>;
  if (!errors) throw error;
  return errors.map((message) => toProblem(message, root));
}

// --- internal ---

function toProblem(message: Message, root: string): Problem {
  const { location, notes } = message;
  const mend = mendOf(message) ?? notes[0]?.text;
  return {
    code: /^Could not resolve/.test(message.text) ? "import-not-found" : "syntax",
    what: message.text.replace(/\.$/, ""),
    ...(location && {
      where: {
        file: isAbsolute(location.file) ? location.file : join(root, location.file),
        line: location.line,
        column: location.column + 1,
        source: location.lineText,
      },
    }),
    ...(mend !== undefined && { mend }),
  };
}

function mendOf(message: Message): string | undefined {
  if (/^No loader is configured for "\.node"/.test(message.text))
    return "this release takes no native addons: use a package without one";
  const wanted = /^Could not resolve "([^"]+)"/.exec(message.text)?.[1];
  if (wanted === undefined) return undefined;
  return /^[./]/.test(wanted)
    ? "check the path"
    : "run `npm install` in the project, or add the package to its dependencies";
}
