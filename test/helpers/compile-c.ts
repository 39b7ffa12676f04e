import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";

/** Compiles one C file; the program is gone after the test. Takes a tenth of a second. Ask `has(t, "cc", "gcc libc6-dev")` first. */
export function compileC(t: TestContext, source: string): string {
  const folder = mkdtempSync(join(tmpdir(), "rouse-c-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, basename(source, ".c"));
  execFileSync("cc", ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", program, source]);
  return program;
}

/** A native addon for Node whose exports are the string "native", compiled: the bytes of a .node file. */
export function compileAddon(t: TestContext): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "rouse-addon-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [source, addon] = [join(folder, "addon.c"), join(folder, "addon.node")];
  writeFileSync(source, ADDON);
  execFileSync("cc", ["-shared", "-fPIC", "-o", addon, source]);
  return readFileSync(addon);
}

// --- internal ---

/** Of node_api.h what is needed here, so that Node's headers need not be there. */
const ADDON = `#include <stddef.h>
typedef void *napi_env, *napi_value;
extern int napi_create_string_utf8(napi_env, const char *, size_t, napi_value *);
int node_api_module_get_api_version_v1(void) { return 8; }
napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value text = exports;
  napi_create_string_utf8(env, "native", 6, &text);
  return text;
}
`;
