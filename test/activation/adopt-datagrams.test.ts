import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, it } from "node:test";
import { hold, startAdopted, stop } from "./adopted.ts";

describe("datagrams", () => {
  const ECHO = `const socket = dgram.createSocket("udp4");
    socket.on("message", (message, from) => socket.send("echo " + message, from.port, from.address)); `;
  const forms: Record<string, [call: string, map?: string]> = {
    "port and callback": ["bind(8125, done)", "stats=udp:8125"],
    "port, address and callback": [`bind(8125, "0.0.0.0", done)`, "stats=udp:127.0.0.1:8125 stats=udp:0.0.0.0:8125"],
    options: [`bind({ port: 8125, address: "127.0.0.1", exclusive: true }, done)`, "stats=udp:8125"],
    "an event that is waited for later": [`bind(8125); socket.on("listening", done)`, "stats=udp:8125"],
    "the only socket": ["bind(8125, done)"],
  };
  for (const [title, [call, map]] of Object.entries(forms)) {
    it(`bind with ${title}`, async () => {
      const socket = hold({ type: "datagram" });
      const source = `${ECHO} const done = () => console.log("bound " + socket.address().port); socket.${call};`;
      const program = startAdopted(source, { sockets: { stats: socket }, ...(map && { map }) });
      await program.printed("bound");
      const client = createSocket("udp4");
      client.send("hello", socket.port, "127.0.0.1");
      assert.equal(String((await once(client, "message"))[0]), "echo hello");
      client.close();
      assert.deepEqual(await stop(program), { code: 0, stdout: `bound ${socket.port}\n`, stderr: "" });
    });
  }

  it("are sent before the socket is bound, too, and other ports are left alone", async () => {
    const socket = hold({ type: "datagram" });
    const peer = createSocket("udp4").bind(0, "127.0.0.1");
    await once(peer, "listening");
    const program = startAdopted(
      `const socket = dgram.createSocket("udp4").bind(8125);
       socket.send("early", ${peer.address().port}, "127.0.0.1");
       try { socket.bind(8125) } catch (error) { console.log(error.code) }
       const other = dgram.createSocket("udp4").bind(0, () => { console.log(other.address().port !== ${socket.port}); other.close(); });`,
      { sockets: { stats: socket }, map: "stats=udp:8125" },
    );
    const [message, from] = await once(peer, "message");
    assert.deepEqual([String(message), from.port], ["early", socket.port]);
    peer.close();
    await program.printed("true");
    assert.equal((await stop(program)).stdout, "ERR_SOCKET_ALREADY_BOUND\ntrue\n");
  });
});
