import type { PackageFile } from "../packaging/packager.ts";
import { environmentFile } from "../systemd/manifests.ts";
import { type Unit, unitText } from "../systemd/unit.ts";
import type { Service } from "./service.ts";

/** Where the executable lies on an installed Linux. Root owns every folder above it. */
export function installedProgram({ name }: Service): string {
  return `/usr/lib/${name}/${name}`;
}

/** Everything that a Linux package installs of a service. */
export function installedFiles(service: Service, executable: string, units: readonly Unit[]): PackageFile[] {
  const { name } = service;
  const environment = environmentFile(service);
  return [
    { path: installedProgram(service), mode: 0o755, content: { kind: "file", source: executable }, conffile: false },
    {
      path: `/usr/bin/${name}`,
      mode: 0o777,
      content: { kind: "link", target: `../lib/${name}/${name}` },
      conffile: false,
    },
    { path: environment.path, mode: 0o644, content: { kind: "text", text: environment.text }, conffile: true },
    ...units.map(
      (unit): PackageFile => ({
        path: `/usr/lib/systemd/system/${unit.name}`,
        mode: 0o644,
        content: { kind: "text", text: unitText(unit) },
        conffile: false,
      }),
    ),
  ];
}
