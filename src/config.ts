import type { Definition } from "./definition/definition.ts";

export type { Definition, SocketDefinition } from "./definition/definition.ts";

/**
 * Marks the default export of rouse.config.ts, so that an editor completes and checks it. Gives back what it takes.
 * Loads nothing: the definition is validated by `rouse`, not here.
 */
export function defineService(definition: Definition): Definition {
  return definition;
}
