import { z } from "zod";
import { DURATION } from "../activation/duration.ts";
import type { PackageFormat, Target } from "../service.ts";
import { CREDENTIAL_NAME } from "./credentials.ts";
import type { Definition, SocketDefinition } from "./definition.ts";
import { SOCKET_NAME } from "./sockets.ts";

/**
 * The shape of a definition. What needs more than one key to judge (two sockets on one address) is in resolve.ts;
 * what later releases bring is in the shape already, and refused by not-yet.ts.
 */
export const definitionSchema: z.ZodType<Definition> = z.lazy(() => definition);

/** The JSON Schema (draft 2020-12) of a definition, for editors. */
export function definitionJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(definition), title: "Rouse service definition" };
}

// --- internal ---

const targets: readonly Target[] = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];
const formats: readonly PackageFormat[] = ["deb", "rpm", "pkg"];

const text = z
  .string()
  .min(1, "must not be empty")
  .refine((value) => !value.includes("\0"), "must not contain a NUL character");
const line = text.refine((value) => !/[\r\n]/.test(value), "must be one line");
const duration = z.string().regex(DURATION, 'must be a duration: a number and ms, s, m or h, for example "20s"');
const address = z.union([z.number(), z.string()], {
  error: 'must be an address: PORT, "127.0.0.1:PORT" or "unix:/PATH"',
});
const WORKERS = 'must be a whole number from 0 to 1024, or "auto"';
const raw = z.record(z.string(), z.unknown());

const socket: z.ZodType<SocketDefinition> = z.strictObject({
  listen: z
    .union([address, z.array(address).min(1, "must name at least one address")], {
      error: "must be an address or a list of addresses",
    })
    .describe('PORT, "127.0.0.1:PORT", "[::1]:PORT", "unix:/PATH", each TCP unless "udp:" stands in front'),
  adopt: address
    .exactOptional()
    .describe("The port or path that the program itself listens on: that call receives this socket"),
  backlog: z
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .max(2147483647)
    .exactOptional()
    .describe("Connections that wait to be accepted. Default: the system's"),
  noDelay: z.boolean().exactOptional().describe("TCP_NODELAY on every connection. Default: false"),
  freeBind: z
    .boolean()
    .exactOptional()
    .describe("Bind although the address is not up yet. Default: true for a specific address"),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'must be octal permission bits, for example "0660"')
    .exactOptional()
    .describe('Permission bits of a unix socket, octal. Default: "0660"'),
  group: line.exactOptional().describe("Group of a unix socket"),
  optional: z.boolean().exactOptional().describe("The program runs without it too. Default: false"),
  accept: z
    .literal("connection")
    .exactOptional()
    .describe("One process per connection. Not yet in `rouse build`, only in `rouse run`"),
  limits: z
    .strictObject({ connections: z.int().min(1).exactOptional(), perSource: z.int().min(1).exactOptional() })
    .exactOptional()
    .describe('Connections at a time, with accept: "connection". Default: 64, and as many of one source'),
  systemd: raw.exactOptional().describe("Not yet"),
  launchd: raw.exactOptional().describe("Not yet"),
});

const definition = z.strictObject({
  $schema: z.string().exactOptional(),
  name: z
    .string()
    .regex(
      /^[a-z][a-z0-9_-]{0,30}$/,
      "must start with a lower-case letter, go on with lower-case letters, digits, - or _, and be at most 31 characters (it names the units and the dynamic user)",
    )
    .exactOptional()
    .describe("The service: its units and its user-visible program. Default: package.json's name without its scope"),
  version: line.exactOptional(),
  description: line.exactOptional(),
  license: line.exactOptional(),
  author: z
    .union([line, z.strictObject({ name: line, email: line.exactOptional() })], {
      error: 'must be "Name <mail@example.com>" or { name, email }',
    })
    .exactOptional(),
  homepage: z.url("must be a URL").exactOptional(),
  package: z
    .strictObject({ name: line.exactOptional() })
    .exactOptional()
    .describe("Where the archive's name must differ from the service's"),
  entry: text.exactOptional().describe("The TypeScript or JavaScript file that starts the server"),
  exec: z
    .union([text, z.partialRecord(z.enum(targets), text)])
    .exactOptional()
    .describe("Any other program, instead of entry. Not yet in `rouse build`, only in `rouse run`"),
  args: z
    .array(z.string().refine((value) => !value.includes("\0"), "must not contain a NUL character"))
    .exactOptional(),
  sockets: z
    .record(
      z.string().regex(SOCKET_NAME, "is no socket name: letters, digits, _ . - and at most 100 characters"),
      z.union([z.number(), z.string(), socket], { error: "must be an address or { listen: ... }" }),
    )
    .exactOptional()
    .describe("Each key is the name that the program asks for"),
  connection: z
    .strictObject({
      stdin: z.literal("socket").exactOptional(),
      stderr: z.enum(["journal", "socket"]).exactOptional(),
      ignoreExit: z.boolean().exactOptional(),
    })
    .exactOptional()
    .describe("For one process per connection. Not yet in `rouse build`, only in `rouse run`"),
  manager: z.enum(["system", "user"]).exactOptional().describe('"user" is not yet'),
  template: z.boolean().exactOptional().describe("Not yet"),
  start: z.enum(["on-demand", "boot"]).exactOptional().describe('Default: "on-demand"'),
  user: line.exactOptional().describe('"dynamic" (default); a named system user is not yet'),
  permissions: z
    .strictObject({
      network: z.enum(["none", "outbound"]).exactOptional().describe('"none" (default): only the passed sockets'),
      read: z.array(text).exactOptional().describe("Not yet"),
      write: z.array(text).exactOptional().describe("Not yet"),
      devices: z.array(text).exactOptional().describe("Not yet"),
      capabilities: z.array(text).exactOptional().describe("Not yet"),
      subprocesses: z.boolean().exactOptional().describe("Not yet"),
    })
    .exactOptional(),
  directories: z
    .strictObject({
      state: z.boolean().exactOptional().describe("/var/lib/NAME, $STATE_DIRECTORY"),
      cache: z.boolean().exactOptional().describe("/var/cache/NAME, $CACHE_DIRECTORY"),
      logs: z.boolean().exactOptional().describe("/var/log/NAME, $LOGS_DIRECTORY"),
      configuration: z.boolean().exactOptional().describe("/etc/NAME, $CONFIGURATION_DIRECTORY"),
    })
    .exactOptional(),
  environment: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is no name of an environment variable"),
      z.string().refine((value) => !value.includes("\0"), "must not contain a NUL character"),
    )
    .exactOptional()
    .describe("Defaults; the administrator's /etc/default/NAME overrides them"),
  files: z.array(text).exactOptional().describe("Not yet"),
  credentials: z
    .record(
      z
        .string()
        .regex(
          CREDENTIAL_NAME,
          "is no name of a credential: letters, digits, _ . @ + - and at most 100 characters, not starting with . @ + or -",
        ),
      text,
    )
    .exactOptional()
    .describe(
      "Secrets that systemd reads as root and hands over: name in $CREDENTIALS_DIRECTORY -> absolute path of a file, or a name that systemd finds in /etc/credstore",
    ),
  watchdog: duration
    .exactOptional()
    .describe("A program whose event loop stands still for so long is killed and started again. Default: never"),
  stopTimeout: duration.exactOptional().describe('Between the stop signal and the kill. Default: "20s"'),
  idleExit: duration
    .exactOptional()
    .describe("After so long without a connection it ends; the next connection starts it again. Default: never"),
  workers: z
    .union([z.int().min(0, WORKERS).max(1024, WORKERS), z.literal("auto")], { error: WORKERS })
    .exactOptional()
    .describe(
      'Processes that serve, under a supervisor that replaces them; "auto": one per CPU. Default: 0, no supervisor',
    ),
  targets: z.array(z.enum(targets)).min(1, "must name at least one target").exactOptional(),
  packages: z.array(z.enum(formats)).exactOptional(),
  systemd: z
    .strictObject({
      minimumVersion: z
        .int("must be a whole number")
        .min(252, "must be at least 252 (Debian 12)")
        .exactOptional()
        .describe("The oldest systemd that the units must run on. Default: 252"),
      overrides: z.record(z.string(), raw).exactOptional().describe("Not yet"),
    })
    .exactOptional(),
  launchd: z
    .strictObject({ label: line.exactOptional(), overrides: raw.exactOptional() })
    .exactOptional()
    .describe("Not yet"),
});
