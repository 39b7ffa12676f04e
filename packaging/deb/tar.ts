import { createTarPacker, type TarHeader, type TarPackController } from "modern-tar";
import { RouseError } from "../../src/problem.ts";
import type { TreeEntry, TreeFile } from "../tree.ts";

/**
 * The bytes of a tar archive as dpkg reads it (deb(5)): ustar headers, and GNU's long names where 100 bytes do not do. Never a pax
 * header: dpkg takes it for an unknown type of file and refuses the package.
 * @throws {RouseError} for what only a pax header could hold, and for a file that changed while it was read
 */
export async function* writeTar(entries: readonly TreeEntry[], time: number): AsyncGenerator<Uint8Array> {
  const { readable, controller } = createTarPacker();
  const filled = fill(controller, entries, time).catch((error) => controller.error(error));
  yield* readable;
  await filled;
}

// --- internal ---

const longest = 100;
/** Eleven octal digits. */
const largest = 8 ** 11 - 1;

async function fill(controller: TarPackController, entries: readonly TreeEntry[], time: number): Promise<void> {
  const add = (header: TarHeader) => controller.add({ ...owner, mtime: new Date(time * 1000), ...header });
  for (const entry of entries) {
    const { long, header } = headerOf(entry);
    for (const { type, value } of long) {
      const bytes = Buffer.from(`${value}\0`);
      await put(add({ type, name: "././@LongLink", size: bytes.length, mode: 0o644 }), [bytes]);
    }
    const body = add(header);
    if (entry.kind === "file") await copy(entry, body);
    else await body.close();
  }
  controller.finalize();
}

const owner = { uid: 0, gid: 0, uname: "root", gname: "root" };

interface Heading {
  readonly long: readonly { readonly type: "gnu-long-name" | "gnu-long-link-name"; readonly value: string }[];
  readonly header: TarHeader;
}

/** Names are relative to the root with a dot in front, as dpkg-deb writes them. */
function headerOf(entry: TreeEntry): Heading {
  const name = entry.kind === "directory" && entry.path !== "/" ? `.${entry.path}/` : `.${entry.path}`;
  const long: { type: "gnu-long-name" | "gnu-long-link-name"; value: string }[] = [];
  const target = entry.kind === "link" ? entry.target : "";
  if (Buffer.byteLength(target) > longest) long.push({ type: "gnu-long-link-name", value: target });
  if (Buffer.byteLength(name) > longest) long.push({ type: "gnu-long-name", value: name });
  const common = { name: shorten(name), size: 0 };
  if (entry.kind === "directory") return { long, header: { ...common, type: "directory", mode: entry.mode } };
  if (entry.kind === "link") {
    return { long, header: { ...common, type: "symlink", mode: 0o777, linkname: shorten(target) } };
  }
  if (entry.size > largest) {
    throw new RouseError({
      code: "package-file-too-large",
      what: `${entry.path} has ${entry.size} bytes; a .deb holds files of up to 8 GiB`,
      mend: "leave the file out of the package and fetch it when the service starts",
    });
  }
  return { long, header: { ...common, type: "file", mode: entry.mode, size: entry.size } };
}

/** What a header shows of a name whose whole stands in front of it; never half a character. */
function shorten(name: string): string {
  const bytes = Buffer.from(name);
  return bytes.length <= longest
    ? name
    : bytes
        .subarray(0, longest)
        .toString()
        .replace(/\uFFFD+$/, "");
}

async function copy(entry: TreeFile, body: WritableStream<Uint8Array>): Promise<void> {
  let size = 0;
  await put(
    body,
    (async function* () {
      for await (const chunk of entry.read()) {
        size += chunk.length;
        if (size > entry.size) throw changed(entry);
        yield chunk;
      }
      if (size !== entry.size) throw changed(entry);
    })(),
  );
}

async function put(
  body: WritableStream<Uint8Array>,
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const writer = body.getWriter();
  for await (const chunk of content) await writer.write(chunk);
  await writer.close();
}

function changed({ path }: TreeFile): RouseError {
  return new RouseError({
    code: "package-source-changed",
    what: `the file for ${path} changed while it was being packed`,
    mend: "build again when nothing else writes to it",
  });
}
