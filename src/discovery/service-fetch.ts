// `fetch` for `svc://SERVICE/PATH`: an instance that is ready is asked, and another one where that one is gone and asking twice does
// no harm. It opens no connection itself, and remembers nothing of who did not answer: that is the registry's business.
import { neverConnected, UsageError } from "../errors.ts";
import type { DiscoverySlices, RegistryEntry, RegistryReader } from "../ports/registry.ts";

export type ServiceFetch = DiscoverySlices["fetch"];

export interface ServiceFetchOptions {
  registry: Pick<RegistryReader, "resolve">;
  fetch: (url: string, init?: RequestInit) => Promise<Response>;
}

/** So many instances are asked at most. */
const ATTEMPTS_MAX = 3;
/** Asked twice, they do what they do once (RFC 9110, section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]);
const SERVICE_URL = /^svc:\/\/([^/?#]*)([^#]*)/i;

export function serviceFetch({ registry, fetch }: ServiceFetchOptions): ServiceFetch {
  return async (url, init = {}) => {
    const text = String(url);
    const [, service, rest = ""] = SERVICE_URL.exec(text) ?? [];
    if (service === undefined) return fetch(text, init);
    if (service === "") throw new UsageError(`cannot fetch "${text}": expected svc://SERVICE/PATH`);
    const path = rest.startsWith("/") ? rest : `/${rest}`;
    const tried = new Set<string>();
    let next = await registry.resolve(service);
    for (;;) {
      tried.add(next.instance);
      const outcome = await attempt(() => fetch(originOf(next) + path, init));
      const isOver = tried.size === ATTEMPTS_MAX || init.signal?.aborted === true;
      if (isOver || !mayGoElsewhere(outcome, init)) return settled(outcome);
      const other = await registry.resolve(service, { except: tried }).catch(() => undefined);
      if (!other) return settled(outcome);
      if ("response" in outcome) await outcome.response.body?.cancel();
      next = other;
    }
  };
}

function originOf({ address, port }: RegistryEntry): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

type Outcome = { response: Response } | { error: unknown };

async function attempt(run: () => Promise<Response>): Promise<Outcome> {
  try {
    return { response: await run() };
  } catch (error) {
    return { error };
  }
}

function settled(outcome: Outcome): Response {
  if ("response" in outcome) return outcome.response;
  throw outcome.error;
}

/** Whether this is the end of one instance only, and asking another can do no harm. */
function mayGoElsewhere(outcome: Outcome, { method = "GET", headers, body }: RequestInit): boolean {
  // What is read from a stream is gone.
  if (body instanceof ReadableStream) return false;
  const isRepeatable =
    IDEMPOTENT.has(method.toUpperCase()) || new Headers(headers ?? {}).has("idempotency-key");
  if ("error" in outcome) return isRepeatable || neverConnected(outcome.error);
  return isRepeatable && isLeaving(outcome.response);
}

/** It has not failed at this call, it takes none any more. */
function isLeaving({ status, headers }: Response): boolean {
  return status === 503 && /(^|,)\s*close\s*(,|$)/i.test(headers.get("connection") ?? "");
}
