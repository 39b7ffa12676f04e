import { open, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

/**
 * Writes a new file that everybody may read, whatever the umask (apt reads packages as the user _apt), and leaves none behind when
 * that fails.
 * @throws the system's error, which src/output.ts explains by the final name
 */
export async function writeNew(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.chmod(0o644);
    await pipeline(content, file.createWriteStream());
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}
