import { setTimeout as sleep } from "node:timers/promises";
import { type BuildContext, context, stop } from "esbuild";
import { type Baked, bake } from "../../bundle/baked.ts";
import { developmentOptions } from "../../bundle/development.ts";
import {
  asyncForm,
  commonJsForm,
  describeWarning,
  entryOf,
  inNeededForm,
  type OutputOptions,
  textsOf,
} from "../../bundle/options.ts";
import { containsRuntime } from "../../bundle/own-runtime.ts";
import { refuseOwnSources } from "../../bundle/own-sources.ts";
import { type SeenSources, withoutPlace } from "../../bundle/sources-in-place.ts";
import type { Bundle } from "../../bundle.ts";
import { type Problem, RouseError } from "../../problem.ts";
import type { Service } from "../../service.ts";

/** Bundles a service in its development form, again and again: esbuild keeps what has not changed. To dispose breaks a build off. */
export interface Bundler extends AsyncDisposable {
  /** @throws {RouseError} as bundleService */
  bundle(): Promise<Bundle>;
  /** Absolute paths of the project's files that the last build has read. */
  files(): readonly string[];
}

export function createBundler(service: Service): Bundler {
  const seen: SeenSources = { files: new Set(), native: new Set() };
  const baked = bake(service);
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  const contexts = new Map<Form, Promise<BuildContext<OutputOptions>>>();
  const rebuild = async (form: Form) => {
    const known = contexts.get(form) ?? start(form, service, baked, seen);
    contexts.set(form, known);
    known.catch(() => contexts.delete(form));
    try {
      return await Promise.race([(await known).rebuild(), broken.promise]);
    } catch (error) {
      if (!isWithoutEsbuild(error)) throw error;
      contexts.clear();
      await stop(); // The next build starts another one.
      await sleep(NEWS); // A Ctrl-C in the terminal is one of the ways to end it, and may be heard of later.
      throw new RouseError(esbuildIsGone, { cause: error });
    }
  };

  return {
    async bundle() {
      try {
        const output = await inNeededForm(
          service,
          () => rebuild(commonJsForm),
          () => rebuild(asyncForm),
        );
        refuseOwnSources(output.metafile, service.root, entryOf(service));
        return {
          ...textsOf(output),
          usesRuntime: containsRuntime(output.metafile),
          warnings: [...output.warnings.map(describeWarning), ...[...seen.native].map(nativeWarning)],
        };
      } catch (error) {
        throw error instanceof RouseError ? new RouseError(error.problems.map(asWritten), { cause: error }) : error;
      }
    },

    files: () => [...seen.files],

    async [Symbol.asyncDispose]() {
      const ended = Promise.all([...contexts.values()].map(async (started) => await end(await started)));
      // A large build looks only now and then whether it is to be broken off.
      const isLate = await Promise.race([ended.then(() => false), sleep(PATIENCE, true, { ref: false })]);
      if (!isLate) return;
      await stop();
      // What was asked of it is never answered then.
      broken.reject(new RouseError(esbuildIsGone));
    },
  };
}

// --- internal ---

type Form = typeof commonJsForm;

async function start(
  form: Form,
  service: Service,
  baked: Baked,
  seen: SeenSources,
): Promise<BuildContext<OutputOptions>> {
  return await context(form(service, await developmentOptions(service, baked, seen)));
}

/** As esbuild says that its own process has ended. */
function isWithoutEsbuild(error: unknown): boolean {
  return error instanceof Error && /^The service (was stopped|is no longer running)/.test(error.message);
}

/** Milliseconds. */
const NEWS = 100;
const PATIENCE = 300;

async function end(context: BuildContext<OutputOptions>): Promise<void> {
  await context.cancel();
  await context.dispose();
}

const esbuildIsGone: Problem = {
  code: "esbuild-gone",
  what: "esbuild, which bundles the program, was ended by somebody",
  mend: "see that the machine has enough memory; the next build starts it again",
};

const nativeWarning = (name: string): string =>
  `${name} has a native addon, which is not in what \`rouse build\` makes of the program`;

/** With the source as it is in the file, and not as we have given it to esbuild. */
function asWritten(problem: Problem): Problem {
  const { where } = problem;
  if (where?.source === undefined || where.column === undefined) return problem;
  const { line, column } = withoutPlace(where.source, where.column);
  return { ...problem, where: { ...where, source: line, column } };
}
