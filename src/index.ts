/** What a server imports from "rouse". It reaches node: and the activation files, nothing else. */
export { type ActivateOptions, activate } from "./activation/activate.ts";
export type { Activation, Peer } from "./activation/activation.ts";
export type { Address } from "./activation/address.ts";
export type { AddressInput, Fallback } from "./activation/bind.ts";
export type { Source } from "./activation/choose.ts";
export { ActivationError, type ActivationErrorCode } from "./activation/error.ts";
export { console } from "./activation/journal-console.ts";
export type { ListenOptions, PassedSocket } from "./activation/passed-socket.ts";
export type { ReloadWork } from "./activation/reload.ts";
export { type SecureFiles, secure } from "./activation/secure.ts";
export { type SuperviseOptions, supervise } from "./activation/supervise.ts";
