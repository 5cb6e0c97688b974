// Opens the runtime's port with the server of whatever it runs on. A port that cannot be had is said with who has it and how to
// take another.
import type { HttpConfig } from "../config/config.ts";
import { findPortHolder } from "../drivers/port-holder.ts";
import { messageOf, StartupError } from "../errors.ts";
import { listen as listenOnBun } from "../http/server-bun.ts";
import type { Fetch, Listen, Server } from "../http/server.ts";

/** Throws `StartupError`. */
export async function openServer({ host, port, idleTimeoutMs }: HttpConfig, fetch: Fetch): Promise<Server> {
  const listen = await serverOfThisRuntime();
  try {
    return await listen({ host, port, idleTimeoutMs, fetch });
  } catch (error) {
    throw new StartupError(`cannot open port ${port} on ${host}: ${reasonOf(error, port)}`, { cause: error });
  }
}

async function serverOfThisRuntime(): Promise<Listen> {
  if (typeof Bun !== "undefined") return listenOnBun;
  if ("Deno" in globalThis) return (await import("../http/server-deno.ts")).listen;
  return (await import("../http/server-node.ts")).listen;
}

function reasonOf(error: unknown, port: number): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EACCES")
    return "not permitted; ports below 1024 need privileges, set http.port (or PORT) to a higher one";
  if (code !== "EADDRINUSE") return messageOf(error);
  const holder = findPortHolder(port);
  const who = holder ? ` by pid ${holder.pid} (${holder.command})` : "";
  return `it is in use${who}; end that, or set http.port (or PORT) to another`;
}
