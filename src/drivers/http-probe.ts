// A probe that asks over HTTP: any answer from 200 to 399 passes. Redirects are an answer, not followed, and every check opens
// and closes a connection of its own, so it never holds up the shutdown of the service it asks.
import { messageOf } from "../errors.ts";
import type { Probe, ProbeResult } from "../ports/probe.ts";

export function httpProbe({ url }: { url: string }): Probe {
  return { check: (signal) => check(url, signal) };
}

async function check(url: string, signal: AbortSignal): Promise<ProbeResult> {
  // Bun alone would send the request through HTTP_PROXY, even to loopback; others do not know the option.
  const options: RequestInit & { proxy: false } = {
    signal,
    redirect: "manual",
    headers: { connection: "close" },
    proxy: false,
  };
  try {
    const { status, body } = await fetch(url, options);
    await body?.cancel();
    return status >= 200 && status < 400 ? { ok: true } : { ok: false, reason: `${url} answered ${status}` };
  } catch (error) {
    return { ok: false, reason: `${url}: ${signal.aborted ? "no answer in time" : problem(error)}` };
  }
}

/** Node and Deno say "fetch failed" and put the reason into the cause. */
function problem(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const refused = /ECONNREFUSED|connection refused/i.test(
    `${Reflect.get(Object(cause), "code")} ${messageOf(cause)}`,
  );
  return refused ? "connection refused" : messageOf(cause);
}
