import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { Agent, get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { type HeldSocket, holdSocket } from "../helpers/passed-socket.ts";
import { type Certificate, makeCertificate } from "./certificates.ts";
import { type Program, runProgram, startProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "rouse-tls-"));
const certificates: Record<"old" | "new" | "authority" | "client" | "stranger" | "rsa" | "locked", Certificate> =
  {} as never;
const held: HeldSocket[] = [];
const programs: Program[] = [];

before(() => {
  for (const name of ["old", "new", "authority", "stranger"] as const)
    certificates[name] = makeCertificate(folder, name);
  certificates.rsa = makeCertificate(folder, "rsa", { type: "rsa" });
  certificates.locked = makeCertificate(folder, "locked", { passphrase: "sesame" });
  certificates.client = makeCertificate(folder, "client", { issuer: certificates.authority });
});

after(() => {
  for (const socket of held) socket.close();
  for (const { child } of programs) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const IMPORTS = `import https from "node:https"; import http2 from "node:http2"; import tls from "node:tls"; import Fastify from "fastify";
  const answer = (request, response) => response.end(request.httpVersion);`;

/** A folder with this pair in it as tls.key and tls.crt. */
function place(pair: Certificate): { readonly folder: string; renew(by: Certificate): void } {
  const place = mkdtempSync(join(folder, "place-"));
  const renew = ({ key, cert }: Certificate) => {
    copyFileSync(key, join(place, "tls.key"));
    copyFileSync(cert, join(place, "tls.crt"));
  };
  renew(pair);
  return { folder: place, renew };
}

interface Serving {
  readonly program: Program;
  readonly port: number;
  /** The other socket of the name. */
  readonly ipv6: { readonly host: string; readonly port: number };
  /** Sends SIGHUP and waits until it was handled. */
  reload(): Promise<void>;
  stop(): Promise<{ readonly code: number | null; readonly stderr: string }>;
}

/** Serves `server` (source text) on two passed sockets, with the key and certificate of `files` (an object's source text). */
async function serve(server: string, files: string, env: NodeJS.ProcessEnv = {}, more = ""): Promise<Serving> {
  const passed = [holdSocket(), holdSocket({ host: "::1" })] as const;
  held.push(...passed);
  const program = startProgram(
    `${IMPORTS}
     const activation = activate({ fallback: { https: 8443 } });
     const server = ${server};
     secure(activation, server, ${files});
     let reloads = 0;
     activation.onReload(() => console.log("reload " + ++reloads));
     await activation.listen(server, "https"); ${more}
     console.log("listening");`,
    { sockets: { https: passed }, env },
  );
  programs.push(program);
  await program.printed("listening");
  let reloads = 0;
  return {
    program,
    port: passed[0].port,
    ipv6: { host: "::1", port: passed[1].port },
    async reload() {
      program.child.kill("SIGHUP");
      await program.printed(`reload ${++reloads}`);
    },
    async stop() {
      program.child.kill();
      return await program.ended;
    },
  };
}

async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, servername: "localhost", rejectUnauthorized: false, ...options });
  await once(socket, "secureConnect");
  return socket;
}

/** The common name of the certificate that a newcomer sees. */
async function certificateAt(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = await handshake(port, options);
  const name = nameOf(socket);
  socket.destroy();
  return name;
}

function nameOf(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subject.CN);
}

async function bodyAt(port: number, agent: Agent): Promise<{ body: string; name: string; socket: TLSSocket }> {
  const request = get({ port, agent, servername: "localhost", rejectUnauthorized: false });
  const [response] = await once(request, "response");
  const socket = response.socket as TLSSocket;
  const name = nameOf(socket);
  return { body: await text(response), name, socket };
}

describe("secure", () => {
  const servers = {
    "https.createServer": `https.createServer(answer)`,
    "http2.createSecureServer": `http2.createSecureServer({ allowHTTP1: true }, answer)`,
    "tls.createServer": `tls.createServer((socket) => socket.on("data", () => socket.write("HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\n1.1")))`,
    "Fastify's server": `await (async () => {
      const app = Fastify({ https: {} });
      app.get("/", async () => "1.1");
      await app.ready();
      return app.server;
    })()`,
    "Fastify's HTTP/2 server": `await (async () => {
      const app = Fastify({ http2: true, https: { allowHTTP1: true } });
      app.get("/", async () => "1.1");
      await app.ready();
      return app.server;
    })()`,
  };
  for (const [title, server] of Object.entries(servers)) {
    it(`gives ${title} a certificate, and another at a reload, while its connections go on`, async () => {
      const files = place(certificates.old);
      const serving = await serve(server, `{ key: "tls.key", cert: "tls.crt" }`, {
        CREDENTIALS_DIRECTORY: files.folder,
      });
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const first = await bodyAt(serving.port, agent);
      assert.deepEqual([first.body, first.name], ["1.1", "old"]);
      files.renew(certificates.new);
      assert.equal(await certificateAt(serving.port), "old", "not before the reload");
      await serving.reload();
      const second = await bodyAt(serving.port, agent);
      assert.deepEqual([second.body, second.name], ["1.1", "old"]);
      assert.equal(second.socket, first.socket);
      assert.equal(await certificateAt(serving.port), "new");
      assert.equal(await certificateAt(serving.ipv6.port, serving.ipv6), "new");
      agent.destroy();
      assert.equal((await serving.stop()).code, 0);
    });
  }

  it("lets no client go on with a session under the old certificate", async () => {
    const files = place(certificates.old);
    const serving = await serve(`https.createServer(answer)`, paths(files.folder));
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      files.renew(certificates.old);
      await serving.reload();
      const session = await sessionOf(serving.port, { maxVersion });
      assert.equal(await isResumed(serving.port, { maxVersion, session }), true);
      files.renew(certificates.new);
      await serving.reload();
      const socket = await handshake(serving.port, { maxVersion, session });
      assert.deepEqual([socket.isSessionReused(), nameOf(socket)], [false, "new"]);
      socket.destroy();
    }
    await serving.stop();
  });

  it("keeps session tickets across reloads where the program itself sets their keys", async () => {
    const ways: [server: string, more: string][] = [
      [`https.createServer({ ticketKeys: Buffer.alloc(48, 7) }, answer)`, ""],
      [`https.createServer(answer)`, `server.setTicketKeys(Buffer.alloc(48, 7));`],
    ];
    for (const [server, more] of ways) {
      const files = place(certificates.old);
      const serving = await serve(server, paths(files.folder), {}, more);
      const session = await sessionOf(serving.port, {});
      for (const pair of [certificates.new, certificates.old]) {
        files.renew(pair);
        await serving.reload();
        assert.equal(await isResumed(serving.port, { session }), true);
      }
      await serving.stop();
    }
  });

  it("leaves every other TLS option as the server was made with", async () => {
    const files = place(certificates.old);
    copyFileSync(certificates.authority.cert, join(files.folder, "clients.crt"));
    const serving = await serve(
      `http2.createSecureServer({ allowHTTP1: true, minVersion: "TLSv1.2", maxVersion: "TLSv1.2", ecdhCurve: "P-256",
         ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305", requestCert: true, rejectUnauthorized: true,
         SNICallback: (name, done) => done(null, name === "other.test" ? other : undefined) }, answer);
       const pem = (name) => fs.readFileSync(${JSON.stringify(folder)} + "/" + name, "utf8");
       const other = tls.createSecureContext({ key: pem("stranger.key"), cert: pem("stranger.crt"), ca: pem("authority.crt") });
       server.addContext("added.test", { key: pem("rsa.key"), cert: pem("rsa.crt") })`,
      `{ ...${paths(files.folder)}, ca: ${JSON.stringify(join(files.folder, "clients.crt"))} }`,
    );
    const client = { key: readFileSync(certificates.client.key), cert: readFileSync(certificates.client.cert) };
    const check = async (name: string) => {
      const socket = await handshake(serving.port, { ...client, ALPNProtocols: ["http/1.1", "h2"] });
      assert.deepEqual(
        [nameOf(socket), socket.alpnProtocol, socket.getProtocol(), socket.getCipher().name],
        [name, "h2", "TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"],
      );
      assert.equal((socket.getEphemeralKeyInfo() as { name?: string }).name, "prime256v1");
      socket.destroy();
      assert.equal(await certificateAt(serving.port, { ...client, servername: "other.test" }), "stranger");
      await assert.rejects(handshake(serving.port, { ...client, ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }));
      await assert.rejects(handshake(serving.port, { ...client, minVersion: "TLSv1.3" }));
      await assert.rejects(handshake(serving.port), "without a client's certificate");
      const stranger = { key: readFileSync(certificates.stranger.key), cert: readFileSync(certificates.stranger.cert) };
      await assert.rejects(handshake(serving.port, stranger));
    };
    await check("old");
    files.renew(certificates.new);
    await serving.reload();
    await check("new");
    // Who may come is read again, too.
    copyFileSync(certificates.stranger.cert, join(files.folder, "clients.crt"));
    await serving.reload();
    await assert.rejects(handshake(serving.port, client));
    await serving.stop();
  });

  it("serves h2 on connections from before a reload, streams in flight included", async () => {
    const files = place(certificates.old);
    const serving = await serve(
      `http2.createSecureServer({}, (request, response) => { request.pipe(response) })`,
      paths(files.folder),
    );
    const session = connectHttp2(`https://localhost:${serving.port}`, {
      family: 4,
      rejectUnauthorized: false,
    } as object);
    const stream = session.request({ ":method": "POST" });
    const body = text(stream);
    stream.write("before ");
    await once(stream, "response");
    files.renew(certificates.new);
    await serving.reload();
    stream.end("after");
    assert.equal(await body, "before after");
    assert.equal(await text(session.request()), "");
    session.close();
    await serving.stop();
  });

  it("gives each client the certificate of its kind of key where there are several", async () => {
    const { rsa, new: ec } = certificates;
    const files = JSON.stringify({ key: [rsa.key, ec.key], cert: [ec.cert, rsa.cert] });
    const serving = await serve(`https.createServer({ maxVersion: "TLSv1.2" }, answer)`, files);
    assert.equal(await certificateAt(serving.port, { ciphers: "ECDHE-RSA-AES128-GCM-SHA256" }), "rsa");
    assert.equal(await certificateAt(serving.port, { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }), "new");
    await serving.stop();
  });

  it("keeps the old certificate, with a warning, where a reload finds half of a new one, and takes the next whole one", async () => {
    const files = place(certificates.old);
    const serving = await serve(`https.createServer(answer)`, paths(files.folder));
    copyFileSync(certificates.new.cert, join(files.folder, "tls.crt"));
    await serving.reload();
    assert.equal(await certificateAt(serving.port), "old");
    rmSync(join(files.folder, "tls.key"));
    await serving.reload();
    assert.equal(await certificateAt(serving.port), "old");
    files.renew(certificates.new);
    await serving.reload();
    assert.equal(await certificateAt(serving.port), "new");
    const { stderr, code } = await serving.stop();
    assert.match(
      stderr,
      /warning: reload failed: the TLS certificate stays as it was: the key in \S+tls\.key does not belong to/,
    );
    assert.match(stderr, /warning: reload failed: the TLS certificate stays as it was: there is no "\S+tls\.key"/);
    assert.equal(code, 0);
  });
});

describe("the files of secure", () => {
  it("are credentials first, then paths relative to the working directory, and may be one", async () => {
    const [credentials, working] = [place(certificates.new), place(certificates.old)];
    const both = [certificates.stranger.cert, certificates.stranger.key].map((path) => readFileSync(path, "utf8"));
    writeFileSync(join(working.folder, "both.pem"), both.join(""));
    mkdirSync(join(working.folder, "sub"));
    writeFileSync(join(working.folder, "sub/both.pem"), both.reverse().join(""));
    const cases: [files: object, directory: string | undefined, name: string][] = [
      [{ key: "tls.key", cert: "tls.crt" }, credentials.folder, "new"],
      [{ key: "tls.key", cert: "tls.crt" }, undefined, "old"],
      [{ key: "tls.key", cert: "tls.crt" }, join(folder, "nowhere"), "old"],
      [{ key: "./tls.key", cert: "./tls.crt" }, credentials.folder, "old"],
      [{ key: "both.pem", cert: "both.pem" }, credentials.folder, "stranger"],
      [{ key: "sub/both.pem", cert: "sub/both.pem" }, credentials.folder, "stranger"],
    ];
    for (const [files, directory, name] of cases) {
      const source = `(process.chdir(${JSON.stringify(working.folder)}), ${JSON.stringify(files)})`;
      const serving = await serve(`https.createServer(answer)`, source, { CREDENTIALS_DIRECTORY: directory });
      assert.equal(await certificateAt(serving.port), name, JSON.stringify([files, directory]));
      await serving.stop();
    }
  });

  it("are loaded by a Node without process.getBuiltinModule, too: 20 before 20.16", async () => {
    const { folder } = place(certificates.old);
    const { stdout, stderr } = await runProgram(
      `import https from "node:https"; delete process.getBuiltinModule;
       secure(activate(), https.createServer(), { key: "${folder}/tls.key", cert: "${folder}/tls.crt" });
       console.log("loaded"); process.exit();`,
    );
    assert.deepEqual([stdout, stderr], ["loaded\n", ""]);
  });

  it("may have a key that the server's passphrase opens", async () => {
    const serving = await serve(
      `https.createServer({ passphrase: "sesame" }, answer)`,
      JSON.stringify(certificates.locked),
    );
    assert.equal(await certificateAt(serving.port), "locked");
    await serving.reload();
    assert.equal(await certificateAt(serving.port), "locked");
    await serving.stop();
  });

  it("are refused with cause and mend where they cannot serve", async () => {
    const { old, new: other, rsa, locked } = certificates;
    const good = place(old);
    const at = (name: string) => join(good.folder, name);
    execFileSync("openssl", ["x509", "-in", old.cert, "-outform", "der", "-out", at("tls.der")], { stdio: "pipe" });
    const [weak, torn] = [at("weak"), at("torn.key")];
    const subject = ["-subj", "/CN=weak", "-keyout", `${weak}.key`, "-out", `${weak}.crt`];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:512", "-nodes", ...subject], { stdio: "pipe" });
    writeFileSync(torn, readFileSync(old.key, "utf8").replace(/\n.{20}/, "\n"));
    const cases: [server: string, files: object, expected: RegExp][] = [
      [
        "https",
        { key: "tls.key", cert: "cert" },
        /no "cert": not in \S+\/credentials\/cert, nor in \S+\/cert\. Add it to "credentials".*LoadCredential=/,
      ],
      ["https", { key: "./x/y", cert: old.cert }, /no "\.\/x\/y": not in \S+\/x\/y\. /],
      ["https", { key: good.folder, cert: old.cert }, /cannot read \S+: EISDIR/],
      [
        "https",
        { key: old.key, cert: at("tls.der") },
        /tls\.der holds no certificate in PEM\. .*"-----BEGIN \.\.\. CERTIFICATE-----"/,
      ],
      ["https", { key: old.cert, cert: old.key }, /old\.crt holds no private key in PEM/],
      ["https", { key: old.key, cert: old.cert, ca: old.key }, /old\.key holds no certificate in PEM/],
      ["https", { key: torn, cert: old.cert }, /the private key in \S+torn\.key cannot be used/],
      [
        "https",
        { key: other.key, cert: old.cert },
        /the key in \S+new\.key does not belong to the certificate in \S+old\.crt/,
      ],
      [
        "https",
        { key: rsa.key, cert: old.cert },
        /the key in \S+rsa\.key does not belong to the certificate in \S+old\.crt/,
      ],
      [
        "https",
        { key: locked.key, cert: locked.cert },
        /locked\.key cannot be used: .*Give the server its "passphrase"/,
      ],
      ["https", { key: `${weak}.key`, cert: `${weak}.crt` }, /OpenSSL refuses the certificate: .*key too small/],
      ["http", { key: old.key, cert: old.cert }, /the server takes no certificate\. Make it by https\.createServer/],
    ];
    const source = `${IMPORTS}
      const activation = activate({ fallback: { https: 8443 } });
      for (const [server, files] of JSON.parse(process.env.CASES)) {
        try {
          secure(activation, server === "http" ? http.createServer() : https.createServer(), files);
          console.log("secured");
        } catch (error) {
          console.log(error instanceof ActivationError ? error.code + ": " + error.message.replaceAll("\\n", " ") : error.stack);
        }
      }`;
    const CREDENTIALS_DIRECTORY = join(folder, "credentials");
    mkdirSync(CREDENTIALS_DIRECTORY);
    copyFileSync(old.key, join(CREDENTIALS_DIRECTORY, "tls.key"));
    const { stdout, stderr } = await runProgram(source, {
      env: { CASES: JSON.stringify(cases), CREDENTIALS_DIRECTORY },
    });
    const lines = stdout.trim().split("\n");
    assert.equal(lines.length, cases.length, stdout + stderr);
    for (const [index, [, , expected]] of cases.entries()) {
      assert.match(lines[index]!, /^bad-credentials: /);
      assert.match(lines[index]!, expected);
    }
  });

  it("are refused where the service's user may not read them", async () => {
    const files = place(certificates.old);
    chmodSync(folder, 0o755);
    chmodSync(files.folder, 0o755);
    chmodSync(join(files.folder, "tls.key"), 0);
    const { code, stderr } = await runProgram(
      `${IMPORTS} if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
       secure(activate(), https.createServer(), ${paths(files.folder)});`,
    );
    assert.match(stderr, /cannot read \S+tls\.key: EACCES.*Let the service's user read it/);
    assert.equal(code, 1);
  });
});

// --- internal ---

function paths(where: string): string {
  return JSON.stringify({ key: join(where, "tls.key"), cert: join(where, "tls.crt") });
}

/** What a client keeps to go on with later. In TLS 1.3 it comes after the handshake. */
async function sessionOf(port: number, options: ConnectionOptions): Promise<Buffer> {
  const socket = connect({ port, servername: "localhost", rejectUnauthorized: false, ...options });
  const [session] = await once(socket, "session");
  socket.destroy();
  return session;
}

async function isResumed(port: number, options: ConnectionOptions): Promise<boolean> {
  const socket = await handshake(port, options);
  const resumed = socket.isSessionReused();
  socket.destroy();
  return resumed;
}
