// A probe that opens a TCP connection and closes it: it passes when somebody listens. It sends nothing and reads nothing.
import type { Probe, ProbeResult } from "../ports/probe.ts";

export function tcpProbe({ host, port }: { host: string; port: number }): Probe {
  return { check: (signal) => check({ host, port }, signal) };
}

function check(address: { host: string; port: number }, signal: AbortSignal): Promise<ProbeResult> {
  const name = `${address.host}:${address.port}`;
  return new Promise((resolve) => {
    const settle = (result: ProbeResult): void => {
      signal.removeEventListener("abort", giveUp);
      socket.destroy();
      resolve(result);
    };
    const giveUp = (): void => settle({ ok: false, reason: `${name}: no answer in time` });
    const socket = process.getBuiltinModule("node:net").connect(address);
    socket.once("connect", () => settle({ ok: true }));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const problem = error.code === "ECONNREFUSED" ? "connection refused" : error.message;
      settle({ ok: false, reason: `${name}: ${problem}` });
    });
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
  });
}
