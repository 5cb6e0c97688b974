// A probe that asks over HTTP: any answer from 200 to 399 passes. Redirects are an answer, not followed, and every check opens
// and closes a connection of its own, so it never holds up the shutdown of the service it asks.
import { messageOf } from "../errors.ts";
import type { Probe, ProbeResult } from "../ports/probe.ts";

export function httpProbe({ url }: { url: string }): Probe {
  return { check: (signal) => check(url, signal) };
}

/**
 * By `node:http`: Bun lets 256 calls of `fetch` be under way, and a probe must not stand in line behind what hangs elsewhere. It
 * takes milliseconds to load, so a start without such a probe does without.
 */
async function check(url: string, signal: AbortSignal): Promise<ProbeResult> {
  const { request } = await (url.startsWith("https:") ? import("node:https") : import("node:http"));
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  const failed = (error: unknown): void =>
    resolve({ ok: false, reason: `${url}: ${signal.aborted ? "no answer in time" : problem(error)}` });
  try {
    const asked = request(url, { agent: false, signal, headers: { connection: "close" } });
    asked.on("error", failed);
    asked.on("response", ({ statusCode: status = 0 }) => {
      const ok = status >= 200 && status < 400;
      resolve(ok ? { ok } : { ok, reason: `${url} answered ${status}` });
      asked.destroy();
    });
    asked.end();
  } catch (error) {
    failed(error);
  }
  return promise;
}

/** Where a name has several addresses the error has no message, only a code. */
function problem(error: unknown): string {
  const code = String(Reflect.get(Object(error), "code"));
  return /ECONNREFUSED|connection refused/i.test(`${code} ${messageOf(error)}`)
    ? "connection refused"
    : messageOf(error) || code;
}
