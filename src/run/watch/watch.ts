import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import { RouseError } from "../../problem.ts";
import { batch } from "./batch.ts";
import { createSecondLook } from "./second-look.ts";

/** Tells of changes until it is closed. */
export interface Watcher {
  /** Watches these instead: what is in both goes on without a gap. @param since as in WatchOptions, for those that come anew */
  update(files: readonly string[], since?: number): void;
  close(): Promise<void>;
}

export interface WatchOptions {
  /** By Date.now(): what has changed since then is news too, although the watch begins now. Default: now. */
  readonly since?: number;
  /** What the system refuses, for example more watches than a user may have (ENOSPC): from then on changes may be missed. */
  readonly onError?: (error: NodeJS.ErrnoException) => void;
}

/**
 * Watches single files, and folders for what comes and goes right in them (not below). A file may be renamed into place,
 * deleted, and made again, with the folders that it is in. What changes together is told together, some 60 ms after the
 * last of it: chokidar is silent on a file for 50 ms after it has told of it.
 * @param initial absolute paths; one that is not there is waited for
 * @param onChange gets the absolute paths that have changed, come or gone
 */
export function watchFiles(
  initial: readonly string[],
  onChange: (files: readonly string[]) => void,
  { since = Date.now(), onError = () => {} }: WatchOptions = {},
): Watcher {
  /** What is asked for, and since when (milliseconds): what is found at the beginning is no news. */
  let wanted = new Map<string, number>();
  /** The folders of `wanted`, in which everything is news. */
  let open = new Set<string>();
  /** The first folder that is lacking on the way to a path of `wanted`. */
  let lacking = new Set<string>();
  let watched = new Map<string, WatchedFolder>();
  let watcher: FSWatcher | undefined;
  const isWanted = (path: string): boolean => wanted.has(path) || lacking.has(path) || open.has(dirname(path));
  const changes = batch((paths) => {
    follow(Date.now());
    onChange(paths);
  });

  const later = createSecondLook((path) => changes.add(path));

  /** The folders are watched, and not the files, which editors replace by others. */
  function follow(since: number): void {
    const folders = new Set<string>();
    open = new Set<string>();
    lacking = new Set<string>();
    for (const path of wanted.keys()) {
      const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
      const folder = isFolder ? path : existing(dirname(path));
      folders.add(folder);
      if (isFolder) open.add(folder);
      else if (folder !== dirname(path)) lacking.add(join(folder, relative(folder, path).split(sep)[0]!));
    }
    // A folder that was deleted and made again is another one: chokidar would go on with the old.
    const isStale = [...watched].some(([folder, { identity }]) => identity !== identityOf(folder));
    const kept = isStale ? new Map<string, WatchedFolder>() : watched;
    const added = [...folders].filter((folder) => !kept.has(folder));
    for (const folder of added) kept.set(folder, { since, identity: identityOf(folder) });
    watched = kept;
    if (isStale) void watcher?.close();
    if (isStale || !watcher) watcher = start(added);
    else watcher.add(added);
  }

  function start(folders: string[]): FSWatcher {
    const started = watch(folders, {
      depth: 0,
      alwaysStat: true,
      ignored: (path, stats) => stats?.isFile() === true && !isWanted(path),
    });
    started.on("all", (event, path, stats) => {
      if (!isWanted(path)) return;
      const known = Math.max(wanted.get(path) ?? 0, watched.get(dirname(path))?.since ?? 0);
      if (isFound(event, stats, known)) return;
      later.saw(path);
      changes.add(path);
    });
    started.on("error", (error) => onError(error as NodeJS.ErrnoException));
    return started;
  }

  const self: Watcher = {
    update(files, since = Date.now()) {
      const before = wanted;
      wanted = new Map(files.map((path) => [path, before.get(path) ?? since]));
      later.expect(files);
      follow(since);
      // Those of a folder that is watched already were passed over when it was read.
      watcher?.add(files.filter((path) => !before.has(path) && existsSync(path) && !statSync(path).isDirectory()));
    },
    async close() {
      later.stop();
      changes.stop();
      await watcher?.close();
    },
  };
  self.update(initial, since);
  return self;
}

/**
 * Watches files and folder trees of a program in any language. In a tree are passed over: hidden folders, what package
 * managers and compilers fill (node_modules, target, dist, out, __pycache__), and what editors write for themselves. A path
 * that is named is watched, whatever its name.
 * @param paths absolute
 * @throws {RouseError} for a path that is not there
 */
export function watchPaths(
  paths: readonly string[],
  onChange: (files: readonly string[]) => void,
  { since = Date.now(), onError = () => {} }: WatchOptions = {},
): Watcher {
  const folders = paths.filter((path) => requireThere(path).isDirectory());
  const files = watchFiles(
    paths.filter((path) => !folders.includes(path)),
    onChange,
    { since, onError },
  );
  const changes = batch(onChange);
  const trees: FSWatcher = watch(folders, {
    alwaysStat: true,
    ignored: (path, stats) => !folders.includes(path) && folders.some((folder) => isPassedOver(folder, path, stats)),
  });
  trees.on("all", (event, path, stats) => {
    if (!isFound(event, stats, since)) changes.add(path);
  });
  trees.on("error", (error) => onError(error as NodeJS.ErrnoException));
  return {
    update: (more) => files.update(more),
    async close() {
      changes.stop();
      await Promise.all([files.close(), trees.close()]);
    },
  };
}

/** @throws {RouseError} no-such-path */
export function requireThere(path: string): { isDirectory(): boolean } {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats) return stats;
  throw new RouseError({
    code: "no-such-path",
    what: `there is nothing to watch at ${path}`,
    mend: "name a file or a folder",
  });
}

// --- internal ---

interface WatchedFolder {
  readonly since: number;
  readonly identity: string | undefined;
}

function identityOf(folder: string): string | undefined {
  const stats = statSync(folder, { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`;
}

/** Whether something was only found when a folder was read. To come by a rename changes the ctime, and not the mtime. */
function isFound(event: string, stats: { readonly ctimeMs: number } | undefined, since: number): boolean {
  return event.startsWith("add") && stats !== undefined && stats.ctimeMs < since - CLOCK_GRAIN;
}

/** Milliseconds by which a file's time may lie before that of the clock which Node reads. */
const CLOCK_GRAIN = 10;

function existing(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existing(dirname(folder));
}

const passedOver = new Set(["node_modules", "target", "dist", "out", "__pycache__"]);

function isPassedOver(root: string, path: string, stats: { isDirectory(): boolean } | undefined): boolean {
  const within = relative(root, path);
  if (within === "" || within.startsWith("..")) return false;
  // A hidden file (.env) may be the program's; its own folders have been judged before.
  const parts = within.split(sep);
  const isFolder = stats?.isDirectory() ?? false;
  const inFolders = isFolder ? parts : parts.slice(0, -1);
  return inFolders.some((part) => part.startsWith(".") || passedOver.has(part)) || /^\.#|~$/.test(basename(path));
}
