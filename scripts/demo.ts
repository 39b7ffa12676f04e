/**
 * The README's first command: builds examples/hello, starts what was built with a socket that this process opened, as
 * systemd would, without root, and shows the answer.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { firstAnswer } from "../test/helpers/first-answer.ts";

const root = join(import.meta.dirname, "..");
execFileSync(join(root, "bin/rouse"), ["build", "examples/hello"], { cwd: root, stdio: "inherit" });

if (process.platform === "linux" && process.arch === "x64") {
  const program = "examples/hello/out/linux-x64/hello";
  console.log(`\nStarting ${program} with a passed socket (LISTEN_FDS=1), as user ${process.getuid?.()}:`);
  const before = performance.now();
  const answer = await firstAnswer(join(root, program), "hello");
  console.log(`GET / -> ${answer.trimEnd()}   (${(performance.now() - before).toFixed(0)} ms from start to stop)`);
  console.log("\nInstall it on a Debian 12 or later:");
  console.log("  sudo dpkg -i examples/hello/out/rouse-hello_1.0.0-1_amd64.deb && curl http://localhost/");
} else {
  console.log("\nThe executable is for Linux x64, so it is not started on this machine.");
}
