/** Loads key and certificate of a TLS server from credentials or files, and again at each reload. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Server as AnyServer } from "node:net";
import { resolve } from "node:path";
import type { Server } from "node:tls";
import type { Activation } from "./activation.ts";
import { ActivationError } from "./error.ts";
import { debug } from "./report.ts";

/**
 * Each is the name of a credential, which is a file in `$CREDENTIALS_DIRECTORY` (systemd.exec(5)), or the path of a file. A
 * name for which there is no credential is a path relative to the working directory. Several: one certificate for each type
 * of key, such as RSA and ECDSA.
 */
export interface SecureFiles {
  /** The private key, PEM. An encrypted one is opened with the server's own `passphrase`. */
  readonly key: string | readonly string[];
  /** The certificate and then those between it and the root, PEM. May be the same file as the key. */
  readonly cert: string | readonly string[];
  /** Who may have signed the clients' certificates, where the server asks for them (`requestCert`), PEM. */
  readonly ca?: string | readonly string[];
}

/**
 * Gives a TLS server, which may have been made without them, a key and a certificate, now and again at each reload of
 * `activation`: handshakes from then on get the new ones. Where a reload fails, the old ones stay. Connections are left alone.
 * @throws {ActivationError} bad-credentials
 */
export function secure(
  activation: Pick<Activation, "onReload">,
  server: AnyServer,
  files: SecureFiles,
  env: NodeJS.ProcessEnv = process.env,
): void {
  if (!isSecure(server)) {
    throw bad(
      "the server takes no certificate",
      "Make it by https.createServer, http2.createSecureServer or tls.createServer",
    );
  }
  let ownTicketKeys: Buffer | undefined;
  exchange(server);
  activation.onReload(() => {
    try {
      exchange(server);
    } catch (error) {
      throw new Error(`the TLS certificate stays as it was: ${(error as Error).message}`, { cause: error });
    }
  });

  function exchange(server: SecureServer): void {
    const loaded = load(server, files, env);
    const ticketKeys = server.getTicketKeys();
    try {
      // It forgets every option that it is not given. The server keeps those that it was made with as its properties.
      server.setSecureContext({ ...server, pfx: undefined, ...loaded });
    } catch (error) {
      throw bad(
        `OpenSSL refuses the certificate: ${(error as Error).message}`,
        "Give another key and certificate",
        error,
      );
    }
    // New keys, so that no client goes on with a session under the old certificate; not where the program sets them itself.
    if (ownTicketKeys?.equals(ticketKeys) ?? true) ownTicketKeys = server.getTicketKeys();
    else server.setTicketKeys(ticketKeys);
  }
}

// --- internal ---

/** What tls.Server keeps of its options. */
interface SecureServer extends Server {
  readonly passphrase?: string;
  readonly ca?: string;
}

function isSecure(server: AnyServer): server is SecureServer {
  return typeof (server as Partial<SecureServer> | null)?.setSecureContext === "function";
}

interface Pem {
  readonly place: string;
  readonly text: string;
}

/** All that can be told before a client comes: OpenSSL itself takes a key of another type than the certificate's. */
function load(server: SecureServer, files: SecureFiles, env: NodeJS.ProcessEnv) {
  const read = (input: string | readonly string[], what: string, label: RegExp) =>
    [input].flat().map((name) => readPem(name, what, label, env));
  const keys = read(files.key, "private key", /-----BEGIN (\w+ )*PRIVATE KEY-----/);
  const certs = read(files.cert, "certificate", CERTIFICATE);
  const authorities = files.ca && read(files.ca, "certificate", CERTIFICATE);

  // Costs milliseconds to load, which a TLS server has spent already and another need not.
  const { createPrivateKey, X509Certificate } = loadCrypto();
  const privateKeys = keys.map((pem) =>
    parse(pem, "private key", (key) => createPrivateKey({ key, passphrase: server.passphrase })),
  );
  for (const pem of certs) {
    const certificate = parse(pem, "certificate", (text) => new X509Certificate(text));
    if (privateKeys.some((key) => certificate.checkPrivateKey(key))) continue;
    const what = `the key in ${keys.map(({ place }) => place).join(", ")} does not belong to the certificate in ${pem.place}`;
    throw bad(what, "Renew both together; the server's own certificate is the first of its file");
  }
  debug(() => `certificate ${[...certs, ...keys].map(({ place }) => place).join(", ")}`);
  const texts = (pems: readonly Pem[]) => pems.map(({ text }) => text);
  return { key: texts(keys), cert: texts(certs), ca: authorities ? texts(authorities) : server.ca };
}

/** Node has process.getBuiltinModule from 20.16 on. */
function loadCrypto(): typeof import("node:crypto") {
  return process.getBuiltinModule?.("node:crypto") ?? createRequire("/")("node:crypto");
}

const CERTIFICATE = /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/;

function readPem(name: string, what: string, label: RegExp, env: NodeJS.ProcessEnv): Pem {
  const folder = env.CREDENTIALS_DIRECTORY;
  const places = [resolve(name)];
  if (folder && !name.includes("/")) places.unshift(resolve(folder, name));
  for (const place of places) {
    const text = readIfThere(place);
    if (text === undefined) continue;
    if (label.test(text)) return { place, text };
    throw bad(`${place} holds no ${what} in PEM`, `A PEM file has a line "-----BEGIN ... ${what.toUpperCase()}-----"`);
  }
  const looked = `not in ${places.join(", nor in ")}${folder ? "" : "; $CREDENTIALS_DIRECTORY is not set"}`;
  const mend = `Add it to "credentials" in the definition (LoadCredential= in the unit), or give the path of a file`;
  throw bad(`there is no "${name}": ${looked}`, mend);
}

function readIfThere(place: string): string | undefined {
  try {
    return readFileSync(place, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const mend = "Let the service's user read it, or hand it over as a credential, which systemd reads as root";
    throw bad(`cannot read ${place}: ${message}`, mend, error);
  }
}

function parse<T>({ place, text }: Pem, what: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    const locked = text.includes("ENCRYPTED") && "it is encrypted, and the server's passphrase does not open it";
    const mend = locked ? `Give the server its "passphrase", or store the key without` : "Write the file anew";
    throw bad(`the ${what} in ${place} cannot be used: ${locked || (error as Error).message}`, mend, error);
  }
}

function bad(what: string, mend: string, cause?: unknown): ActivationError {
  return new ActivationError("bad-credentials", what, mend, cause);
}
