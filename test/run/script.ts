/** Programs of a few lines for `rouse run -- …`, which import the runtime from the checkout. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { makeProject } from "../helpers/project.ts";
import { root } from "../helpers/rouse.ts";

/** The command that starts these lines, an ES module with `http`, `net` and the runtime at hand. */
export function script(t: TestContext, lines: string): string[] {
  const folder = makeProject(t, {
    "program.ts": `import http from "node:http";
import net from "node:net";
import { activate } from ${JSON.stringify(join(root, "src/index.ts"))};
${lines}
`,
  });
  return [process.execPath, "--disable-warning=ExperimentalWarning", join(folder, "program.ts")];
}

/** A server that answers with its process id. */
export const SERVER = `const server = http.createServer((request, response) => response.end(String(process.pid)));
const activation = activate({ fallback: { http: "127.0.0.1:0" } });
await activation.listen(server, "http");
`;
