// `haraka health`: asks a running runtime how it is, over its socket or else its port; the HEALTHCHECK of an image that has no
// curl. Exit 0 or 1, nothing else.
import { resolve } from "node:path";
import { dialable } from "../config/dialable.ts";
import { type ConfigError, ExitCode, messageOf, neverConnected, UsageError } from "../errors.ts";
import type { Client } from "./client.ts";
import { SOCKET_FLAGS, configRequest } from "./config-flags.ts";
import { type Args, type Io, JSON_FLAG, type Verb } from "./verb.ts";

/** Below the second that Kubernetes gives a probe by default, and far below Docker's thirty. */
const PATIENCE_MS = 900;

const PATHS = { live: "/health/live", ready: "/health/ready", startup: "/health/startup" } as const;

export const health: Verb = {
  name: "health",
  common: false,
  summary: "ask a running runtime; exit 0 if it is well, 1 if not",
  flags: {
    live: { type: "boolean", help: "is it alive?" },
    ready: { type: "boolean", help: "may it get requests?" },
    startup: { type: "boolean", help: "is startup over?" },
    ...SOCKET_FLAGS,
    ...JSON_FLAG,
  },
  examples: [
    ["health --ready", "as an image's HEALTHCHECK"],
    ["health --json", "every component"],
  ],
  async run(args, io) {
    const path = pathOf(args);
    try {
      const reply = await ask(path, args, io);
      const words = inWords(reply);
      io.stdout(`${args.flags["json"] === true ? reply.body : words}\n`);
      return reply.ok ? ExitCode.ok : ExitCode.failure;
    } catch (error) {
      io.stderr(`haraka: ${messageOf(error)}\n`);
      return ExitCode.failure;
    }
  },
};

function pathOf({ flags }: Args): string {
  const [asked, other] = (Object.keys(PATHS) as (keyof typeof PATHS)[]).filter(
    (name) => flags[name] === true,
  );
  if (other) throw new UsageError(`cannot ask --${asked} and --${other} at once: choose one`);
  return asked ? PATHS[asked] : "/health";
}

interface Reply {
  ok: boolean;
  body: string;
  /** Where it was asked. */
  from: string;
}

/** The socket, and where nobody listens on it, the port. */
async function ask(path: string, args: Args, io: Io): Promise<Reply> {
  const named = args.flags["socket"] ?? io.env["HARAKA_SOCKET"];
  // Reading a config takes longer than asking.
  if (typeof named === "string" && named !== "") {
    const reply = await askSocket(resolve(io.cwd, named), path);
    if (reply) return reply;
  }
  const { findDoors } = await import("../compose/find-doors.ts");
  const { socket, http, problem } = findDoors(configRequest(args, io));
  if (socket !== false && !named) {
    const reply = await askSocket(socket, path);
    if (reply) return reply;
  }
  if (http) {
    const reply = askPort(`http://${dialable(http.host)}:${http.port}${path}`);
    return await (problem ? reply.catch(() => giveUp(problem, socket)) : reply);
  }
  if (problem) return await giveUp(problem, socket);
  const where = named ?? (socket === false ? "none" : socket);
  throw new Error(
    `cannot ask: nobody listens on the socket (${where as string}), and the config has http: false`,
  );
}

async function giveUp(problem: ConfigError | UsageError, socket: string | false): Promise<never> {
  const { inTheDark } = await import("./client.ts");
  throw new Error(inTheDark(problem, socket), { cause: problem });
}

/** Nothing if nobody listens there. */
async function askSocket(socket: string, path: string): Promise<Reply | undefined> {
  const client = typeof Bun === "undefined" ? await loadClient(socket) : undefined;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    if (client) {
      const { status, text } = await client.read(path, signal);
      return { ok: status === 200, body: text, from: socket };
    }
    // A third of the time that node:http takes to load.
    const response = await fetch(`http://localhost${path}`, { unix: socket, signal });
    return { ok: response.ok, body: await response.text(), from: socket };
  } catch (error) {
    if (!signal.aborted) return undefined;
    throw new Error(`cannot ask ${socket}: it does not answer within ${PATIENCE_MS} ms`, { cause: error });
  }
}

/** All that it needs, so that loading it is none of the runtime's time. */
async function loadClient(socket: string): Promise<Client> {
  const [{ clientOf }] = await Promise.all([import("./client.ts"), import("node:http")]);
  return clientOf({ socket });
}

async function askPort(url: string): Promise<Reply> {
  const { HEALTHCHECK_HEADER } = await import("../http/probers.ts");
  try {
    // Bun alone would send it through HTTP_PROXY, even to loopback; others do not know the option.
    const options: RequestInit & { proxy: false } = {
      signal: AbortSignal.timeout(PATIENCE_MS),
      proxy: false,
      // Else a shutdown would wait until this one has seen it.
      headers: { [HEALTHCHECK_HEADER]: "1" },
    };
    const response = await fetch(url, options as RequestInit);
    return { ok: response.ok, body: await response.text(), from: url };
  } catch (error) {
    const reason = neverConnected(error) ? "nobody listens there; is it running?" : messageOf(error);
    throw new Error(`cannot ask ${url}: ${reason}`, { cause: error });
  }
}

interface Answer {
  status: string;
  blockedBy?: { service: string; reason?: string }[];
}

function inWords(reply: Reply): string {
  const { status, blockedBy = [] } = understood(reply);
  const blockers = blockedBy.map(({ service, reason }) =>
    reason === undefined ? service : `${service} (${reason})`,
  );
  return blockers.length === 0 ? status : `${status}: ${blockers.join(", ")}`;
}

/** Whoever else has the port, and is well, says nothing about the runtime. */
function understood({ body, from }: Reply): Answer {
  try {
    const answer = JSON.parse(body) as Partial<Answer> | null;
    if (typeof answer?.status === "string") return answer as Answer;
  } catch {
    // Then it is nobody we know.
  }
  throw new Error(`cannot understand what answers at ${from}: is it a haraka runtime?`);
}
