// `haraka health`: asks a running runtime how it is; the HEALTHCHECK of an image that has no curl. Exit 0 or 1, nothing else.
import { ExitCode, messageOf } from "../errors.ts";
import { HEALTHCHECK_HEADER } from "../http/probers.ts";
import { CONFIG_FLAGS, configRequest } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

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
    ...CONFIG_FLAGS,
    ...JSON_FLAG,
  },
  examples: [
    ["health --ready", "as an image's HEALTHCHECK"],
    ["health --json", "every component"],
  ],
  async run(args, io) {
    try {
      const { readConfig } = await import("../compose/read-config.ts");
      const { config } = readConfig(configRequest(args, io));
      if (!config.http) throw new Error("cannot ask: the config has http: false");
      const asked = (Object.keys(PATHS) as (keyof typeof PATHS)[]).find((name) => args.flags[name] === true);
      const url = `http://${dialable(config.http.host)}:${config.http.port}${asked ? PATHS[asked] : "/health"}`;
      const response = await ask(url);
      const body = await response.text();
      io.stdout(args.flags.json === true ? `${body}\n` : `${inWords(body)}\n`);
      return response.ok ? ExitCode.ok : ExitCode.failure;
    } catch (error) {
      io.stderr(`haraka: ${messageOf(error)}\n`);
      return ExitCode.failure;
    }
  },
};

async function ask(url: string): Promise<Response> {
  try {
    // Bun alone would send it through HTTP_PROXY, even to loopback; others do not know the option.
    const options: RequestInit & { proxy: false } = {
      signal: AbortSignal.timeout(PATIENCE_MS),
      proxy: false,
      // Else a shutdown would wait until this one has seen it.
      headers: { [HEALTHCHECK_HEADER]: "1" },
    };
    return await fetch(url, options as RequestInit);
  } catch (error) {
    throw new Error(`cannot ask ${url}: ${messageOf(error)}`, { cause: error });
  }
}

/** An address that listens everywhere is asked on loopback; IPv6 needs its brackets. */
function dialable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

interface Answer {
  status: string;
  blockedBy?: { service: string; reason?: string }[];
}

function inWords(body: string): string {
  const { status, blockedBy = [] } = JSON.parse(body) as Answer;
  const blockers = blockedBy.map(({ service, reason }) =>
    reason === undefined ? service : `${service} (${reason})`,
  );
  return blockers.length === 0 ? status : `${status}: ${blockers.join(", ")}`;
}
