// Opens the runtime's port with the server of whatever it runs on. A port that cannot be had is said with who has it and how to
// take another.
import type { HttpConfig } from "../config/config.ts";
import { messageOf, StartupError } from "../errors.ts";
import { listen as listenOnBun } from "../http/server-bun.ts";
import type { Fetch, Listen, Server } from "../http/server.ts";

/** How many ports are tried. */
const PORTS_MAX = 100;

/** `orNext`: one that is taken is passed over for the next that is free. Throws `StartupError`. */
export async function openServer(
  { host, port, idleTimeoutMs }: HttpConfig,
  fetch: Fetch,
  { orNext = false } = {},
): Promise<Server> {
  const listen = await serverOfThisRuntime();
  const last = orNext && port !== 0 ? Math.min(port + PORTS_MAX - 1, 65_535) : port;
  for (let each = port; ; each++) {
    try {
      return await listen({ host, port: each, idleTimeoutMs, fetch });
    } catch (error) {
      const code = await codeOf(error, host);
      if (code === "EADDRINUSE" && each < last) continue;
      const reason = await reasonOf(error, { code, port: each });
      throw new StartupError(`cannot open port ${each} on ${host}: ${reason}`, { cause: error });
    }
  }
}

async function serverOfThisRuntime(): Promise<Listen> {
  if (typeof Bun !== "undefined") return listenOnBun;
  if ("Deno" in globalThis) return (await import("../http/server-deno.ts")).listen;
  return (await import("../http/server-node.ts")).listen;
}

async function reasonOf(error: unknown, { code, port }: { code: unknown; port: number }): Promise<string> {
  if (code === "EACCES")
    return "not permitted; ports below 1024 need privileges, set http.port (or PORT) to a higher one";
  if (code !== "EADDRINUSE") return `${hostProblem(code, error)}; ${HOST_ADVICE}`;
  const { findPortHolder } = await import("../drivers/linux/port-holder.ts");
  const holder = findPortHolder(port);
  const who = holder ? ` by pid ${holder.pid} (${holder.command})` : "";
  return `it is in use${who}; end that, or set http.port (or PORT) to another`;
}

const HOST_ADVICE = "set http.host to an address of this machine, or to 0.0.0.0 for all of them";

/** Bun and Node give a code, each its own for a name that leads nowhere; Deno only words. */
function hostProblem(code: unknown, error: unknown): string {
  const isAddress = code === "EADDRNOTAVAIL" || code === "EINVAL" || code === "ENOTFOUND";
  return isAddress ? "this machine has no such address, nor is it the name of one" : messageOf(error);
}

/** A name that leads nowhere is for Bun a port in use, or whatever the last call to the system came to. */
async function codeOf(error: unknown, host: string): Promise<unknown> {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "EADDRINUSE") return code;
  const { lookup } = process.getBuiltinModule("node:dns/promises");
  return lookup(host).then(
    () => code,
    () => "ENOTFOUND",
  );
}
