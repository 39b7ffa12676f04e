import type { Machine } from "./machine.ts";

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  /** From before the connection to the last byte, without curl's own start. */
  readonly milliseconds: number;
}

/** One GET by the machine's own curl. */
export async function httpGet(machine: Machine, url: string, timeout: number): Promise<Answer> {
  const report = "%{stderr}%{json}\n%{header_json}";
  const limits = ["--max-time", (timeout / 1000).toString()];
  const curl = ["curl", "--silent", "--show-error", ...limits, "--write-out", report, url];
  const { stdout, stderr } = await machine.run(curl, {
    title: `${machine.name}# curl ${url}`,
    timeout: timeout + 5_000,
  });
  const newline = stderr.indexOf("\n");
  const measured = JSON.parse(stderr.slice(0, newline)) as { http_code: number; time_total: number };
  return {
    status: measured.http_code,
    headers: JSON.parse(stderr.slice(newline)) as Answer["headers"],
    body: stdout,
    milliseconds: measured.time_total * 1000,
  };
}
