/** Small clients of a test's server. All give up after 20 seconds. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

const patience = (): AbortSignal => AbortSignal.timeout(20_000);

export type Place = { readonly host?: string; readonly port: number } | { readonly path: string };

/** The body of an HTTP answer, over a connection of its own. A place without a host is on 127.0.0.1. */
export async function ask(place: Place, path = "/"): Promise<string> {
  const where = "port" in place ? { host: "127.0.0.1", ...place } : { socketPath: place.path };
  const asked = request({ ...where, path, agent: false, signal: patience() }).end();
  const [answer] = await once(asked, "response", { signal: patience() });
  return await text(answer);
}

/** Sends one datagram and gives the answer. It is sent again until one comes: nobody promises that a datagram arrives. */
export async function askDatagram(port: number, message: string): Promise<string> {
  const client = createSocket("udp4");
  const send = (): void => client.send(message, port, "127.0.0.1");
  const again = setInterval(send, 2_000);
  try {
    send();
    const [answer] = await once(client, "message", { signal: patience() });
    return String(answer);
  } finally {
    clearInterval(again);
    client.close();
  }
}

/** Sends a line, ends its half of the connection, and gives all that comes until the server ends its own. */
export async function askLine(port: number, line: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setTimeout(20_000, () => socket.destroy(new Error("no answer within 20 s")));
  socket.end(`${line}\n`);
  return await text(socket);
}
