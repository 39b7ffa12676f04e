import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { Problem } from "../../problem.ts";
import type { Confinement, Outside } from "./denial-rules.ts";
import { denied } from "./denied.ts";
import { readFailures } from "./failure.ts";

/** Looks for denials in what a program writes, and tells of each once. */
export class DenialReader {
  readonly #confinement: Confinement;
  readonly #tell: (problem: Problem) => void;
  readonly #streams = new Map<string, { readonly decoder: StringDecoder; rest: string }>();
  readonly #told = new Set<string>();

  constructor(confinement: Omit<Confinement, "outside">, tell: (problem: Problem) => void) {
    this.#confinement = { ...confinement, outside };
    this.#tell = tell;
  }

  read(stream: "stdout" | "stderr", chunk: Buffer): void {
    const state = this.#streams.get(stream) ?? { decoder: new StringDecoder(), rest: "" };
    this.#streams.set(stream, state);
    const lines = (state.rest + state.decoder.write(chunk)).split("\n");
    state.rest = lines.pop()!.slice(-LONGEST);
    for (const line of lines) this.#look(line);
  }

  /** The program has ended: its last line may have no end. */
  end(): void {
    for (const { rest } of this.#streams.values()) this.#look(rest);
    this.#streams.clear();
  }

  /** Another program starts, which is told of anew. */
  forget(): void {
    this.#told.clear();
  }

  #look(line: string): void {
    for (const failure of readFailures(line)) {
      const problem = denied(failure, this.#confinement);
      if (!problem || this.#told.has(problem.what)) continue;
      this.#told.add(problem.what);
      this.#tell(problem);
    }
  }
}

// --- internal ---

const LONGEST = 20_000;

const outside: Outside = {
  exists: existsSync,
  isReadOnly(path) {
    try {
      // Where the file is not there yet: where it would be. ST_RDONLY (statvfs(3)) is not in what Node gives of a file system.
      accessSync(nearest(path), constants.W_OK);
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "EROFS";
    }
  },
  isOpenToAll(path) {
    const place = nearest(path);
    try {
      for (let folder = dirname(place); folder !== "/"; folder = dirname(folder)) {
        if ((statSync(folder).mode & 0o001) === 0) return false;
      }
      return (statSync(place).mode & 0o004) !== 0;
    } catch {
      return false;
    }
  },
  isExecutable(program) {
    const places = program.includes("/") ? [program] : PATH.split(delimiter).map((folder) => join(folder, program));
    return places.some((place) => {
      try {
        accessSync(place, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  },
};

/** systemd's own for services (systemd.exec(5), "Environment Variables Set"). */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function nearest(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearest(dirname(path));
}
