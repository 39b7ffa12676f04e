/** `rouse run --as inetd` hands over what inetds hand over: the same program under both, field by field. */
import { describe, it } from "node:test";
import { askHanded, assertSame, compileHanded } from "../helpers/handed.ts";
import { type InetdService, inetds, startInetd } from "../helpers/inetd.ts";
import { startRun } from "../helpers/run.ts";
import { has } from "../helpers/tools.ts";

const services: readonly Pick<InetdService, "type" | "wait">[] = [
  { type: "stream", wait: false },
  { type: "stream", wait: true },
  { type: "datagram", wait: true },
];

/** What differs on purpose. */
const queue = {
  "descriptors.0.backlog": "the definition's, or as many as the system allows; each inetd has its own number",
};
const ofXinetd = {
  files: "it raises its own limit, which its services inherit",
  folder: "the definition's, or where the user stands",
  "environment.REMOTE_HOST": "a name of xinetd alone, and at times without a meaning",
};

describe("rouse run --as inetd hands over what inetd does", () => {
  for (const [debianPackage, name] of Object.entries(inetds) as [keyof typeof inetds, string][]) {
    for (const { type, wait } of services) {
      it(`${name}, ${type}, ${wait ? "wait" : "nowait"}`, { timeout: 60_000 }, async (t) => {
        if (!has(t, name, debianPackage) || !has(t, "cc", "gcc libc6-dev")) return;
        const { handed, talk } = compileHanded(t);
        const scheme = type === "stream" ? "tcp" : "udp";
        const { port } = await startInetd(t, debianPackage, { type, wait, program: handed, args: ["--root", "x"] });
        const real = await askHanded(talk, `${scheme}:127.0.0.1:${port}`);

        const accept = wait ? [] : ["--accept"];
        const socket = `s=${scheme}:127.0.0.1:0`;
        const run = startRun(t, ["--as", "inetd", ...accept, "-s", socket, "--", handed, "--root", "x"]);
        const desk = await askHanded(talk, `${scheme}:127.0.0.1:${await run.port("s")}`);
        assertSame(real, desk, {
          ...(type === "stream" && wait && queue),
          ...(name === "xinetd" && ofXinetd),
        });
      });
    }
  }
});
