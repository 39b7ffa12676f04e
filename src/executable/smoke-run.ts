import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { RouseError } from "../problem.ts";

/**
 * Starts what was built, up to the program's first line (see bundle/prelude.ts): the image loads, its libraries are there, Node
 * finds the program, V8 takes its code cache and compiles it. The program itself does not run: a build must not open a database or send a mail.
 */
export async function smokeRun(executable: string): Promise<void> {
  try {
    const { stdout, stderr } = await promisify(execFile)(executable, [], {
      env: { ...process.env, ROUSE_SMOKE_RUN: executable },
      timeout: 30_000,
    });
    if (!stdout.startsWith("rouse-smoke-run ")) throw new Error(`it printed ${JSON.stringify(stdout.slice(0, 200))}`);
    // Node says it at every start of such an executable, which then starts tens of milliseconds later.
    if (stderr.includes("Code cache data rejected")) throw new Error("V8 does not take the code cache");
  } catch (error) {
    const { stderr = "", message } = error as { stderr?: string; message: string };
    throw new RouseError(
      {
        code: "smoke-run",
        what: `what was built does not start: ${stderr.trim() || message}`,
        mend: "this is a fault of Rouse or of this machine; nothing was written",
      },
      { cause: error },
    );
  }
}
