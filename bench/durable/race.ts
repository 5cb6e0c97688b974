// What the durable peers have in common: clients that each carry out one workflow of ten steps after the other, a server that runs
// beside them, and packages from the folder `BENCH_PEERS`, for none of them is a dependency of this one. Runs under Node, as they do.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";

const STEPS = 10;
const TRIES = 300;
const TRY_AGAIN_MS = 100;
/** A server that has not left by then is left behind with its folder. */
const LEAVE_MS = 5_000;

export const stepNames: readonly string[] = Array.from({ length: STEPS }, (_, index) => `step${index}`);
export const output = () => ({ reservation: "r-123", ok: true });

/** `WAITERS` clients, `SAGAS` workflows in all. */
export const waiters = Number(process.env["WAITERS"] ?? 1);
const sagas = Number(process.env["SAGAS"] ?? 1);

/** Where a server keeps what must survive: a folder of this run on a real disk. */
export const folder = process.env["FOLDER"] ?? ".";

const require = createRequire(join(process.env["BENCH_PEERS"] ?? ".", "package.json"));

/** The peer's package, as what is used of it. */
export const packageOf = <T>(name: string): T => require(name) as T;

// Whoever has no patience left takes the server along.
process.once("SIGTERM", () => process.exit(1));

/** Prints `{steps, ms}` and ends the process; `run` carries out one workflow. A few are run before and thrown away. */
export async function race(
  run: (number: number) => Promise<unknown>,
  stop: () => Promise<unknown>,
): Promise<never> {
  let count = -waiters * 2;
  const clients = (until: number) =>
    Promise.all(
      Array.from({ length: waiters }, async () => {
        while (count < until) await run(count++);
      }),
    );
  await clients(0);
  const startMs = performance.now();
  await clients(sagas);
  const ms = performance.now() - startMs;
  process.stdout.write(`${JSON.stringify({ steps: sagas * STEPS, ms })}\n`);
  await Promise.race([stop(), pause(LEAVE_MS)]);
  process.exit(0);
}

/** A server that ends with this process. `words` begin with the program. */
export function serve(words: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const [program = "", ...rest] = words;
  const child = spawn(program, rest, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => void (said = `${said}${bytes.toString()}`.slice(-2000)));
  child.once("exit", (code) => {
    if (code !== 0 && code !== null) process.stderr.write(`${program} ended with ${code}: ${said}\n`);
  });
  process.once("exit", () => void child.kill("SIGTERM"));
  return child;
}

/** Asks a server to leave and waits until it has. */
export async function left(server: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  server.kill(signal);
  await once(server, "exit");
}

/** Runs a command to its end. */
export async function done(words: readonly string[]): Promise<void> {
  const [code] = (await once(serve(words), "exit")) as [number | null];
  if (code !== 0) throw new Error(`${words[0]} ended with ${code}`);
}

/** Tries until it works, for half a minute. */
export async function until<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (count === TRIES) throw error;
      await pause(TRY_AGAIN_MS);
    }
  }
}

/** Resolves once somebody listens on the port. */
export async function listening(port: number): Promise<void> {
  await until(async () => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
  });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
