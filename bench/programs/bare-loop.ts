// What the process rows are compared to: `bare-loop SHAPE COMMAND…` on `PORT` starts the command over and over and answers 200
// once all have written something; who is killed is started again where the row is about that; SIGTERM goes on to all of them. No config, no probes, no log: only what cannot be left out.
const [shape = "", ...command] = process.argv.slice(2);
const children: Bun.Subprocess[] = [];
let stopping = false;
const shapes: Record<string, () => Promise<unknown>> = {
  async "chain-20"() {
    for (let count = 0; count < 20; count++) await start();
  },
  async "fanout-99"() {
    await start();
    await Promise.all(Array.from({ length: 99 }, () => start()));
  },
  "stop-20": () => Promise.all(Array.from({ length: 20 }, () => start())),
  idle: () => Promise.all(Array.from({ length: 20 }, () => start())),
  /** Again and again. */
  "restart-latency": () => start(() => void (stopping || shapes["restart-latency"]?.())),
};

async function start(onExit?: () => void): Promise<void> {
  const child = Bun.spawn(command, {
    stdout: "pipe",
    stdin: "ignore",
    detached: true,
    ...(onExit && { onExit }),
  });
  children.push(child);
  await child.stdout.getReader().read();
}

async function stop(): Promise<never> {
  stopping = true;
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map((child) => child.exited));
  process.exit(0);
}

process.once("SIGTERM", () => void stop());
await shapes[shape]?.();
Bun.serve({ port: Number(process.env.PORT), hostname: "127.0.0.1", fetch: () => new Response() });
