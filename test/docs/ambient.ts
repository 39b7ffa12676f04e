/**
 * What an example may use without saying where it comes from, as types and as values: every example is checked with this
 * file beside it and run after it. A name that an example declares itself hides the one here.
 */
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { type Activation, activate } from "rouse";

declare global {
  /** Answers every request. */
  var app: RequestListener;
  /** An http server that runs `app`. */
  var server: Server;
  /** Of a program that has one fallback, "http". */
  var activation: Activation<string>;
  /** For https and http2. */
  var tls: { key: string; cert: string };
}

globalThis.app = (request, response) => void response.end(`answer to ${request.url}\n`);

provide("server", () => createServer(app));
provide("activation", () => activate<string>({ fallback: { http: 0 } }));
provide("tls", () => {
  const pem = readFileSync(process.env.EXAMPLE_PEM!, "utf8");
  return { key: pem, cert: pem };
});

/** Made when it is first used: most examples make their own. */
function provide<K extends "server" | "activation" | "tls">(name: K, make: () => (typeof globalThis)[K]): void {
  let value: (typeof globalThis)[K] | undefined;
  Object.defineProperty(globalThis, name, {
    get: () => (value ??= make()),
  });
}
