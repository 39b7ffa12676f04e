import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, test } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { startProgram } from "./program.ts";

for (const [type, host] of [
  ["udp4", "127.0.0.1"],
  ["udp6", "::1"],
] as const) {
  test(`a passed ${type} socket receives and answers`, { timeout: 10_000 }, async () => {
    const socket = holdSocket({ type: "datagram", host });
    after(() => socket.close());
    const program = startProgram(
      `import dgram from "node:dgram";
      const datagrams = dgram.createSocket("${type}");
      datagrams.on("message", (message, from) => datagrams.send("got " + message, from.port, from.address));
      await activate().listen(datagrams, "stats");
      console.log("listening");`,
      { sockets: { stats: socket } },
    );
    after(() => program.child.kill("SIGKILL"));
    await program.printed("listening");
    const client = createSocket(type);
    client.send("soup", socket.port, host);
    assert.equal(String((await once(client, "message"))[0]), "got soup");
    client.close();
    program.child.kill();
    assert.equal((await program.ended).code, 0);
  });
}
