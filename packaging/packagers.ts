import type { PackageFormat } from "../src/service.ts";
import { deb } from "./deb/index.ts";
import type { Packager } from "./packager.ts";

/** Every package format that this release makes: a new one is a folder beside deb/ and a line here. */
export const packagers: Partial<Record<PackageFormat, Packager>> = { deb };
