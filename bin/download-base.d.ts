/** A Node as one of npm's packages carries it. */
export interface DownloadableBase {
  readonly target: string;
  readonly version: string;
  readonly package: string;
  /** Of the archive, as npm writes it. */
  readonly integrity: string;
}

/**
 * Puts `node` and `LICENSE` into the folder, which has to be there.
 * @throws {FetchError} where the download failed, or what came is not what was pinned
 */
export function downloadBase(
  base: DownloadableBase,
  folder: string,
  options: { readonly onProgress: (received: number, total: number | undefined) => void; readonly patience: number },
): Promise<void>;
