import type { Server } from "node:net";

/** Each the name of a credential in $CREDENTIALS_DIRECTORY, or a path. */
export interface SecureFiles {
  readonly key: string;
  readonly cert: string;
  readonly ca?: string;
}

export function secure(_server: Server, _files: SecureFiles, _env: NodeJS.ProcessEnv): () => void {
  throw new Error("being written by another helper");
}
