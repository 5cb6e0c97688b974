// health-20: requests a second on /health of the executable with 20 components, against a bare `Bun.serve` that gives the same
// bytes under the same headers. Both run the whole time; wrk loads one after the other.
import { alternate } from "./measure.ts";
import type { Row } from "./row.ts";
import { config, executable, freePort, haraka, native, tool } from "./workshop.ts";

const COMPONENTS = 20;
const CONNECTIONS = 50;
const ROUND_S = 2;

export const health20: Row = {
  name: "health-20",
  unit: "requests/s",
  target: { ratioMin: 0.9 },
  cost: "for what format and through which proxy it is asked: six headers of each request.",
  async measure() {
    const wrk = tool("wrk");
    const command = [await native("child")];
    const names = Array.from({ length: COMPONENTS }, (_, index) => `p${index + 1}`);
    const services = Object.fromEntries(names.map((name) => [name, { command }]));
    const file = await config("health-20", { http: { host: "127.0.0.1" }, services });
    await using product = await serve([await haraka(), "run", "-c", file]);
    await using bare = await serve([await executable("same-bytes")], { ORIGIN: product.origin });
    const { value, floor } = await alternate(
      { count: 7 },
      { value: () => load(wrk, product.origin), floor: () => load(wrk, bare.origin) },
    );
    return { value, floor };
  },
};

interface Served extends AsyncDisposable {
  origin: string;
}

/** Runs the command with a free port as `PORT`, until it is disposed of. Resolves when it is ready. */
async function serve(command: readonly string[], env: Record<string, string> = {}): Promise<Served> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const server = Bun.spawn([...command], {
    env: { ...process.env, ...env, PORT: String(port) },
    stdout: "ignore",
    stderr: "inherit",
  });
  while (!(await isReady(origin))) {
    if (server.exitCode !== null) throw new Error(`cannot measure ${command[0]}: it ended`);
    await Bun.sleep(1);
  }
  return {
    origin,
    async [Symbol.asyncDispose]() {
      server.kill("SIGTERM");
      await server.exited;
    },
  };
}

async function isReady(origin: string): Promise<boolean> {
  try {
    return (await fetch(`${origin}/health/ready`)).ok;
  } catch {
    return false;
  }
}

/** Requests a second. */
async function load(wrk: string, origin: string): Promise<number> {
  const words = [wrk, "-t1", `-c${CONNECTIONS}`, `-d${ROUND_S}s`, `${origin}/health`];
  const output = await new Response(Bun.spawn(words, { stdout: "pipe" }).stdout).text();
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(output)?.[1];
  if (rate === undefined || /Non-2xx|Socket errors/.test(output))
    throw new Error(`cannot measure ${origin}:\n${output}`);
  return Number(rate);
}
