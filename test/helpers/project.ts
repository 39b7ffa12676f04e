import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

/** A folder with these files, gone after the test. A value that is no string is written as JSON. */
export function makeProject(t: TestContext, files: Record<string, unknown>): string {
  const folder = writeProject(files);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The same, to be removed by whoever asked for it. */
export function writeProject(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), "rouse-test-"));
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, null, 2));
  }
  return folder;
}

/** A whole small project: package.json, a definition and a server, each replaceable. */
export function hello(
  changes: { definition?: object; manifest?: object; server?: string } = {},
): Record<string, unknown> {
  return {
    "package.json": { name: "greeter", version: "1.2.3", type: "module", ...changes.manifest },
    "rouse.config.json": { entry: "src/server.ts", sockets: { http: 8080 }, ...changes.definition },
    "src/server.ts":
      changes.server ??
      `import { createServer } from "node:http";
import { activate } from "rouse";
const server = createServer((request, response) => response.end(\`hello from \${request.url}\\n\`));
activate({ fallback: { http: 8080 } }).listen(server, "http");
`,
  };
}
