// `haraka wal`: whether the log in a store is sound, and the points at which a process can be made to die. It asks no running
// runtime: a store that one holds is refused.
import { ExitCode, UsageError } from "../errors.ts";
import { FAILPOINTS } from "../ports/failpoint.ts";
import { withStore } from "./store-flags.ts";
import { type Args, type Io, JSON_FLAG, type Verb } from "./verb.ts";

export const wal: Verb = {
  name: "wal",
  common: false,
  summary: "check the log in a store, or list the points a crash can be tried at",
  takes: "verify|failpoints",
  flags: {
    store: { type: "string", value: "URL", help: "sqlite:PATH; default: haraka.db in the state folder" },
    ...JSON_FLAG,
  },
  examples: [
    ["wal verify --store sqlite:data/haraka.db", "read all of it; exit 1 if something is wrong"],
    ["wal failpoints", "labels for HARAKA_FAILPOINT=LABEL[:N]"],
  ],
  async run(args, io) {
    const [word, ...more] = args.positionals;
    if (word === "verify" && more.length === 0) return verify(args, io);
    if (word === "failpoints" && more.length === 0) return failpoints(args, io);
    throw new UsageError(`cannot do 'wal ${args.positionals.join(" ")}': name verify or failpoints`);
  },
};

async function verify({ flags }: Args, io: Io): Promise<number> {
  const { verifyWal } = await import("../compose/store-report.ts");
  const { tenants, problems } = await withStore(flags["store"] as string | undefined, io, verifyWal);
  const ok = problems.length === 0;
  if (flags["json"] === true) {
    io.stdout(`${JSON.stringify({ ok, tenants, ...(!ok && { problems }) })}\n`);
    return ok ? ExitCode.ok : ExitCode.failure;
  }
  for (const { tenant, events, lastSeq, hash } of tenants)
    io.stdout(`${JSON.stringify(tenant)} events ${events} lastSeq ${lastSeq} hash ${hash}\n`);
  for (const { tenant, seq, message } of problems)
    io.stdout(`${JSON.stringify(tenant)} record ${seq}: ${message}\n`);
  const events = tenants.reduce((sum, each) => sum + each.events, 0);
  io.stdout(`${ok ? "ok" : "not ok"}: ${tenants.length} tenants, ${events} events\n`);
  return ok ? ExitCode.ok : ExitCode.failure;
}

function failpoints({ flags }: Args, io: Io): number {
  const labels = Object.entries(FAILPOINTS);
  const width = Math.max(...labels.map(([label]) => label.length));
  if (flags["json"] === true) io.stdout(`${JSON.stringify(labels.map(([label, at]) => ({ label, at })))}\n`);
  else io.stdout(labels.map(([label, at]) => `${label.padEnd(width)}  ${at}\n`).join(""));
  return ExitCode.ok;
}
