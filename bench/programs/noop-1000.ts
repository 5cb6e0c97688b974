// Starts 1,000 services that do nothing, several times in one process, and prints how long each start took, in milliseconds,
// as a JSON list: the first with cold code. Then the same for 1,000 bare calls of the same method.
import { Orchestrator, Service } from "haraka-runtime";

const ROUNDS = 9;
const COUNT = 1000;
const nothing = () => {};
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

class Noop extends Service {
  override async startup(): Promise<void> {}
}

function services(): Service[] {
  return Array.from({ length: COUNT }, (_, index) => Object.assign(new Noop(), { name: `service-${index}` }));
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

async function orchestrated(): Promise<number> {
  const orchestrator = new Orchestrator({ log, exit: false });
  for (const service of services()) orchestrator.use(service);
  const tookMs = await timed(() => orchestrator.run());
  await orchestrator.shutdown();
  return tookMs;
}

function bare(): Promise<number> {
  const all = services();
  const { signal } = new AbortController();
  return timed(() => Promise.all(all.map(async (service) => service.startup(signal))));
}

const result = { orchestrated: [] as number[], bare: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  result.orchestrated.push(await orchestrated());
  result.bare.push(await bare());
}
console.log(JSON.stringify(result));
