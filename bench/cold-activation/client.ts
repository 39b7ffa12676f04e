/** Imports nothing but Node's own modules: it also runs inside the machine of through-systemd.ts. */
import { connect } from "node:net";

/** One GET on a connection of its own, underway. */
export interface Question {
  /** The kernel has taken connection and request, whether or not a server runs. */
  readonly sent: Promise<void>;
  /** Milliseconds from connect(2) to the first byte of a good answer. */
  readonly answered: Promise<number>;
  close(): void;
}

export function ask(port: number): Question {
  const sent = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<number>();
  const fail = (error: Error): void => {
    sent.reject(error);
    answered.reject(error);
  };
  sent.promise.catch(() => {});
  answered.promise.catch(() => {});

  const start = performance.now();
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  socket.setTimeout(patience, () => fail(new Error(`no answer within ${patience} ms`)));
  socket.once("error", fail);
  socket.once("close", () => fail(new Error("the server closed the connection without an answer")));
  socket.once("connect", () => socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", () => sent.resolve()));
  socket.once("data", (data) => {
    const milliseconds = performance.now() - start;
    if (String(data).startsWith("HTTP/1.1 200 ")) answered.resolve(milliseconds);
    else fail(new Error(`a bad answer: ${String(data).slice(0, 80)}`));
  });
  return { sent: sent.promise, answered: answered.promise, close: () => socket.destroy() };
}

// --- internal ---

const patience = 10_000;
