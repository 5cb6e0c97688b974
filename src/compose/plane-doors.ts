// The plane's HTTP API where it is reached: on the port, behind its own rules about who may, and on the control socket, where everybody
// is an operator. What answers is loaded with the first request, so that a start does not wait for it.
import type { Identity } from "../http/health-page.ts";
import type { HttpGate } from "../http/gate.ts";
import type { PlaneApiOptions } from "../http/plane-api.ts";
import type { Fetch } from "../http/server.ts";

export interface PlaneDoorParts extends Identity, Omit<PlaneApiOptions, "ending" | "trusting" | "fetch"> {}

export interface PlaneDoors {
  /** Answers under `/api/v1`. */
  api: Fetch;
  /** Answers `/openapi.json` and `/docs`. */
  docs: Fetch;
}

/** For `createApp`. */
export function planeOverTcp(parts: PlaneDoorParts & { gate: Pick<HttpGate, "draining"> }): PlaneDoors {
  return doors({ ...parts, ending: parts.gate.draining });
}

/** For the control socket. Its streams end when `ending` aborts. */
export function planeOnSocket(parts: PlaneDoorParts, ending: AbortSignal): PlaneDoors {
  return doors({ ...parts, ending, trusting: true });
}

function doors(parts: PlaneDoorParts & Pick<PlaneApiOptions, "ending" | "trusting">): PlaneDoors {
  const { service: name, version, limits, auth } = parts;
  return {
    api: later(async () => {
      const { createPlaneApi } = await import("../http/plane-api.ts");
      const app = createPlaneApi({ ...parts, fetch: fetchKeys });
      return (request, native) => app.fetch(request, native as object);
    }),
    docs: later(async () => {
      const { createDocs } = await import("../http/docs.ts");
      return createDocs({ name, version, limits, hasAuth: auth !== undefined });
    }),
  };
}

/** Also reads files, which not every runtime's own can. */
async function fetchKeys(url: string, init: RequestInit): Promise<Response> {
  if (!url.startsWith("file:")) return fetch(url, init);
  const { readFile } = process.getBuiltinModule("node:fs/promises");
  return new Response(new Uint8Array(await readFile(new URL(url))));
}

/** Answers with what `open` gives, which is opened by the first request. */
export function later(open: () => Promise<Fetch>): Fetch {
  let opened: Promise<Fetch> | undefined;
  return async (request, native) => (await (opened ??= open()))(request, native);
}
