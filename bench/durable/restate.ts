// Restate with a server of its own, as it comes, asked over its ingress.
import { join } from "node:path";
import process from "node:process";
import { folder, freePort, left, output, packageOf, race, serve, stepNames, until } from "./race.ts";

interface Context {
  run<T>(name: string, action: () => Promise<T>): Promise<T>;
}

interface Restate {
  service(definition: {
    name: string;
    handlers: Record<string, (context: Context) => Promise<string>>;
  }): object;
  endpoint(): { bind(service: object): { listen(port: number): Promise<number> } };
}

process.env["RESTATE_LOGGING"] = "ERROR";
const restate = packageOf<Restate>("@restatedev/restate-sdk");
const [ingress, admin, node, own] = [await freePort(), await freePort(), await freePort(), await freePort()];
const service = restate.service({
  name: "bench",
  handlers: {
    async run(context) {
      for (const name of stepNames) await context.run(name, async () => output());
      return "done";
    },
  },
});
await restate.endpoint().bind(service).listen(own);
const program = join(process.env["BENCH_PEERS"] ?? ".", "node_modules/.bin/restate-server");
const server = serve([program, "--no-logo", "--listen-mode", "tcp", "--base-dir", folder], {
  RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
  RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
  RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
  RESTATE_DISABLE_TELEMETRY: "true",
  RUST_LOG: "error",
});

async function post(url: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

await until(() => post(`http://127.0.0.1:${admin}/deployments`, { uri: `http://127.0.0.1:${own}` }));
const run = () => post(`http://127.0.0.1:${ingress}/bench/run`, {});
await until(run);
await race(run, () => left(server));
