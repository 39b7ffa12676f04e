/** Clients that ask again and again over HTTP/1.1, and never give up: who starts a server anew sees with them what its users would. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface SteadyLoad {
  readonly port: number;
  /** Clients that keep their connection as long as the server lets them. */
  readonly kept: number;
  /** Clients that take a connection for each request. */
  readonly closing: number;
  /** Milliseconds between an answer and the client's next request. */
  readonly pause: number;
  /** Called with the body of each answer. */
  onAnswer?(body: string): void;
}

export interface LoadTally {
  /** Answers with status 200. */
  readonly answers: number;
  /** Requests that failed at their first try, each counted once: what a client without patience would have shown its user. */
  readonly lost: number;
  /** Every failed try by its cause, for example "ECONNREFUSED", or "no answer" for a connection that ended without one. */
  readonly failures: Readonly<Record<string, number>>;
  /** Milliseconds from a request's first try to its answer: the longest there was. */
  readonly longestWait: number;
  /** Milliseconds of each request, in the order of the answers. */
  readonly waits: readonly number[];
}

export interface RunningLoad {
  /** Lets every client have its answer, and counts. */
  stop(): Promise<LoadTally>;
}

/** Starts all clients at once. A request that fails is tried again after the pause, over a new connection, until it is answered. */
export function startLoad(load: SteadyLoad): RunningLoad {
  const failures: Record<string, number> = {};
  const waits: number[] = [];
  let lost = 0;
  let isOver = false;

  async function ask(connection: ClientConnection | undefined): Promise<ClientConnection | undefined> {
    const begun = performance.now();
    for (let isFirst = true; ; isFirst = false) {
      const used: ClientConnection = connection ?? openConnection(load.port);
      connection = undefined;
      try {
        const { body, keeps } = await used.ask();
        waits.push(performance.now() - begun);
        load.onAnswer?.(body);
        if (keeps) return used;
        used.end();
        return undefined;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        const cause = code ?? message;
        failures[cause] = (failures[cause] ?? 0) + 1;
        if (isFirst) lost++;
        // Whoever measures must not wait for ever: the server will not come back.
        if (isOver) return undefined;
        await sleep(load.pause);
      }
    }
  }

  async function beClient(keeps: boolean): Promise<void> {
    let connection: ClientConnection | undefined;
    while (!isOver) {
      // One that the server has ended meanwhile, in peace, is no loss.
      if (connection?.hasEnded) connection = undefined;
      connection = await ask(connection);
      if (!keeps) connection = void connection?.end();
      await sleep(load.pause * (0.5 + Math.random()));
    }
    connection?.end();
  }

  const clients = [
    ...Array.from({ length: load.kept }, () => beClient(true)),
    ...Array.from({ length: load.closing }, () => beClient(false)),
  ];
  return {
    async stop() {
      isOver = true;
      await Promise.all(clients);
      return { answers: waits.length, lost, failures, longestWait: Math.max(0, ...waits), waits };
    },
  };
}

// --- internal ---

interface Answer {
  readonly body: string;
  /** The server does not say Connection: close. */
  readonly keeps: boolean;
}

interface ClientConnection {
  readonly hasEnded: boolean;
  /** One request at a time. Rejects when the connection fails, or ends without a whole answer. */
  ask(): Promise<Answer>;
  end(): void;
}

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

function openConnection(port: number): ClientConnection {
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let received = "";
  let hasEnded = false;
  let waiting: PromiseWithResolvers<Answer> | undefined;
  const fail = (error: Error): void => {
    hasEnded = true;
    waiting?.reject(error);
  };
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    received += text;
    const answer = readAnswer(received);
    if (!answer) return;
    received = "";
    if (answer instanceof Error) fail(answer);
    else waiting?.resolve(answer);
  });
  socket.on("error", fail);
  socket.on("end", () => fail(new Error("no answer")));
  socket.on("close", () => fail(new Error("no answer")));
  return {
    get hasEnded() {
      return hasEnded;
    },
    async ask() {
      waiting = Promise.withResolvers();
      socket.write(REQUEST);
      return await waiting.promise;
    },
    end: () => void socket.destroy(),
  };
}

/** Undefined while more has to come. */
function readAnswer(text: string): Answer | Error | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  if (!head.startsWith("HTTP/1.1 200 ")) return new Error(`status ${head.slice(9, 12)}`);
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
  const body = text.slice(end + 4);
  if (Number.isNaN(length)) return new Error("no Content-Length");
  if (body.length < length) return undefined;
  return { body, keeps: !/^connection: close$/im.test(head) };
}
