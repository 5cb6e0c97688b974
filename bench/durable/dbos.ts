// DBOS with a Postgres of its own, as it comes: fsync on, a checkpoint for each step.
import process from "node:process";
import { done, folder, freePort, left, output, packageOf, race, serve, stepNames, until } from "./race.ts";

interface Dbos {
  setConfig(config: object): void;
  launch(): Promise<void>;
  registerWorkflow<T>(run: (number: number) => Promise<T>, config: object): (number: number) => Promise<T>;
  runStep<T>(run: () => Promise<T>, config: { name: string }): Promise<T>;
}

/** Postgres refuses to be root. */
const asUser =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
const data = `${folder}/postgres`;
if (asUser.length > 0) await done(["chown", "postgres", folder]);
await done([...asUser, "initdb", "-D", data, "-U", "bench", "--auth=trust"]);
const port = await freePort();
const postgres = serve([...asUser, "postgres", "-D", data, "-p", String(port), "-k", "", "-h", "127.0.0.1"]);

const { DBOS } = packageOf<{ DBOS: Dbos }>("@dbos-inc/dbos-sdk");
DBOS.setConfig({
  name: "bench",
  systemDatabaseUrl: `postgresql://bench@127.0.0.1:${port}/bench`,
  logLevel: "error",
  runAdminServer: false,
});
const run = DBOS.registerWorkflow(
  async () => {
    for (const name of stepNames) await DBOS.runStep(async () => output(), { name });
  },
  { name: "bench" },
);
// For a while it takes connections and refuses work.
await until(() => DBOS.launch());
await race(run, () => left(postgres, "SIGINT"));
