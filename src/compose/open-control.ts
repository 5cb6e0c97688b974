// The control API where operators reach it: on its Unix socket, opened here, and on TCP behind the token. What answers is loaded
// with the first request, so that a start does not wait for it. A socket that nobody asked for and that cannot be opened is
// warned about once, and the runtime goes on without it.
import type { ControlConfig, HttpConfig } from "../config/config.ts";
import type { RuntimeState } from "../core/snapshot.ts";
import { openControlSocket, SocketHeldError } from "../drivers/control-socket.ts";
import { messageOf, StartupError } from "../errors.ts";
import type { Identity } from "../http/health-page.ts";
import type { Fetch, ListenOnPath } from "../http/server.ts";
import type { Clock } from "../ports/clock.ts";
import type { Control, LogSource, StatusSource } from "../ports/control.ts";
import type { HealthSource } from "../ports/health-source.ts";
import type { Log } from "../ports/log.ts";

export interface ControlParts extends Identity {
  status: StatusSource;
  operate: Control;
  logs: LogSource;
  health: HealthSource;
  log: Log;
  clock: Clock;
}

export interface OpenControl {
  /** Ends its streams, and removes the socket. It serves until then, also while the runtime stops. */
  close(): Promise<void>;
}

/** Throws `StartupError` when another runtime holds the socket, or when one that the config names cannot be opened. */
export async function openControl(control: ControlConfig, parts: ControlParts): Promise<OpenControl> {
  const { socket } = control;
  if (socket === false) return { close: async () => {} };
  const ending = new AbortController();
  const fetch = later(() => onSocket(parts, ending.signal));
  try {
    const listen = await listenOnPath();
    const server = await openControlSocket({
      path: socket,
      listen: (path) => listen({ path, fetch }),
    });
    return {
      async close() {
        ending.abort("the runtime has stopped");
        await server.close();
      },
    };
  } catch (error) {
    const what = `cannot open the control socket ${socket}`;
    if (error instanceof SocketHeldError)
      throw new StartupError(`${what}: ${holderOf(error)}`, { cause: error });
    if (control.socketNamed) throw new StartupError(`${what}: ${messageOf(error)}`, { cause: error });
    parts.log.warn(`${what}: ${messageOf(error)}; going on without it: no command reaches this runtime`);
    return { close: async () => {} };
  }
}

function holderOf({ pid }: SocketHeldError): string {
  const who = pid === undefined ? "another process" : `a runtime with pid ${pid}`;
  return `${who} holds it; stop that one, or name another with control.socket or HARAKA_DATA`;
}

async function onSocket(parts: ControlParts, ending: AbortSignal): Promise<Fetch> {
  const { createControl } = await import("../http/control.ts");
  const { createHealth } = await import("../http/health.ts");
  const app = createControl({
    ...parts,
    channel: "the control socket",
    ending,
    probes: createHealth({ ...parts, trusting: true, gate: openGate(ending) }),
  });
  return (request, native) => app.fetch(request, native as object);
}

/** Whoever asks over the socket is no prober of the port. */
function openGate(ending: AbortSignal) {
  return {
    get closing() {
      return ending.aborted;
    },
    watch: { asked() {} },
  };
}

/** The control API for the TCP port. Its streams end when the runtime begins to stop, so that nothing waits for them. */
export function controlOverTcp(where: { token: string; http: HttpConfig }, parts: ControlParts): Fetch {
  const ending = new AbortController();
  const look = (state: RuntimeState) => {
    if (STOPPING.includes(state)) ending.abort("the runtime is stopping");
  };
  look(parts.status.runtime().state);
  parts.status.on((event) => event.type === "runtime-state-changed" && look(event.to));
  return later(() => onTcp(where, { ...parts, ending: ending.signal }));
}

const STOPPING: readonly RuntimeState[] = ["draining", "stopping", "destroyed"];

async function onTcp(
  { token, http }: { token: string; http: HttpConfig },
  parts: ControlParts & { ending: AbortSignal },
): Promise<Fetch> {
  const { createControl } = await import("../http/control.ts");
  const { guarded } = await import("../http/control-guard.ts");
  const app = createControl({ ...parts, channel: "TCP" });
  return guarded((request, native) => app.fetch(request, native as object), {
    token,
    isOwnHost: (name) => name === http.host.toLowerCase() || (isEverywhere(http.host) && isOwnAddress(name)),
  });
}

/** Answers with what `open` gives, which is opened by the first request. */
function later(open: () => Promise<Fetch>): Fetch {
  let opened: Promise<Fetch> | undefined;
  return async (request, native) => (await (opened ??= open()))(request, native);
}

/** It listens on every address of this machine. */
const isEverywhere = (host: string): boolean => host === "0.0.0.0" || host === "::";

function isOwnAddress(name: string): boolean {
  const { networkInterfaces } = process.getBuiltinModule("node:os");
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === name));
}

async function listenOnPath(): Promise<ListenOnPath> {
  if (typeof Bun !== "undefined") return (await import("../http/server-bun.ts")).listenOnPath;
  if ("Deno" in globalThis) return (await import("../http/server-deno.ts")).listenOnPath;
  return (await import("../http/server-node.ts")).listenOnPath;
}
