import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { get } from "node:http";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { holdSocket } from "../helpers/passed-socket.ts";
import { type ProgramOptions, runProgram, startProgram } from "./program.ts";

const SERVER = `
  const activation = activate({ fallback: { http: 0 }, fdFlag: true });
  await activation.listen(http.createServer((request, response) => response.end(activation.source)), "http");
  console.log("listening", JSON.stringify(process.argv.slice(2)), process.env.SERVER_LISTEN_FD);`;

/** What the program answers on the port, and what it says of its arguments. */
async function answer(port: number, options: ProgramOptions): Promise<[body: string, printed: string]> {
  const program = startProgram(SERVER, options);
  await program.printed("listening");
  const [response] = (await once(get({ port, agent: false }), "response")) as [IncomingMessage];
  const body = await text(response);
  program.child.kill();
  const { code, stdout } = await program.ended;
  assert.equal(code, 0);
  return [body, stdout.trim()];
}

describe("--fd N where sockets were passed", () => {
  const cases: [title: string, args: string[], env: NodeJS.ProcessEnv, which: 0 | 1, left: string][] = [
    ["--fd 0 is the first", ["--fd", "0"], {}, 0, "[]"],
    ["--fd=1 is the second", ["--root", "/srv", "--fd=1", "-v"], {}, 1, '["--root","/srv","-v"]'],
    ["-f1 is the second", ["-f1", "x"], {}, 1, '["x"]'],
    ["-f=1 is the second", ["-f=1", "-f1x"], {}, 1, '["-f1x"]'],
    ["-f 4 is descriptor 4", ["-f", "4", "x"], {}, 1, '["x"]'],
    ["SERVER_LISTEN_FD=1 is the second", ["x"], { SERVER_LISTEN_FD: "1" }, 1, '["x"]'],
    ["an argument wins over the variable", ["--fd", "0"], { SERVER_LISTEN_FD: "1" }, 0, "[]"],
  ];
  for (const [title, args, env, which, left] of cases) {
    it(title, async () => {
      const sockets = [holdSocket(), holdSocket()] as const;
      const [body, printed] = await answer(sockets[which].port, {
        args,
        env,
        sockets: { one: sockets[0], two: sockets[1] },
      });
      assert.equal(body, "fd");
      assert.equal(printed, `listening ${left} undefined`);
      for (const socket of sockets) socket.close();
    });
  }

  it("is an error where it is neither, which lists what was passed", async () => {
    const socket = holdSocket();
    const { code, stderr } = await runProgram(SERVER, { args: ["--fd", "7"], sockets: { web: socket } });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /--fd 7 is neither the place nor the descriptor of a passed socket; passed: "web" descriptor 3\D/,
    );
    socket.close();
  });
});

describe("--fd N where none were passed", () => {
  it("is the descriptor itself, as inetd gives it", async () => {
    const socket = holdSocket();
    const [body] = await answer(socket.port, { args: ["--fd", "0"], stdin: socket });
    assert.equal(body, "fd");
    socket.close();
  });

  it("is an error where that is no socket", async () => {
    const { code, stderr } = await runProgram(SERVER, { args: ["--fd", "0"] });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /--fd 0: descriptor 0 is no socket, and no LISTEN_FDS passes any\. Start the program by systemd/,
    );
  });

  it("is an error where it is no number", async () => {
    const { stderr } = await runProgram(SERVER, { args: ["--fd", "first"] });
    assert.match(stderr, /--fd first is no descriptor\. Give a number/);
    assert.match((await runProgram(SERVER, { args: ["-f"] })).stderr, /-f is no descriptor/);
  });

  it("names the cause where the sockets were another process's", async () => {
    const { code, stderr } = await runProgram(SERVER, {
      args: ["--fd", "0"],
      env: { LISTEN_FDS: "1", LISTEN_PID: "1" },
    });
    assert.equal(code, 1);
    assert.match(stderr, /LISTEN_FDS is not for this process: LISTEN_PID=1/);
  });
});

describe("an explicit descriptor", () => {
  it("is not read after --, nor without fdFlag", async () => {
    const { stdout } = await runProgram(
      `const one = activate({ fallback: { http: 0 } });
       const two = activate({ fallback: { http: 0 }, fdFlag: true });
       console.log(one.source, two.source, process.argv.slice(2).join(" ")); process.exit()`,
      { args: ["--", "--fd", "0"] },
    );
    assert.equal(stdout, "bind bind -- --fd 0\n");
    const off = await runProgram("console.log(activate({ fallback: { http: 0 } }).source, process.argv.slice(2)[0])", {
      args: ["--fd", "0"],
      env: { SERVER_LISTEN_FD: "0" },
    });
    assert.equal(off.stdout, "bind --fd\n");
  });

  it("may be given by the program", async () => {
    const sockets = [holdSocket(), holdSocket()] as const;
    const { stdout } = await runProgram(
      'const { source, sockets } = activate({ fallback: { http: 0 }, fd: 4 }); console.log(source, sockets("http")[0].fd)',
      { sockets: { one: sockets[0], two: sockets[1] } },
    );
    assert.equal(stdout, "fd 4\n");
    for (const socket of sockets) socket.close();
  });

  it("gives the same socket when it is asked for again", async () => {
    const socket = holdSocket();
    const { stdout } = await runProgram(
      `const ask = () => activate({ fallback: { http: 0 }, fdFlag: true });
       console.log(ask().socket("http") === ask().socket("http"), ask().source)`,
      { args: ["--fd", "0"], sockets: { one: socket } },
    );
    assert.equal(stdout, "true fd\n");
    socket.close();
  });
});
