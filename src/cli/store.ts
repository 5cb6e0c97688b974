// `haraka store`: what a store holds, as one hash that is the same for every store that holds the same, and the way from one store to
// another. It asks no running runtime: a store that one holds is refused.
import { ExitCode, UsageError } from "../errors.ts";
import type { Progress } from "../compose/migrate-store.ts";
import { withStore } from "./store-flags.ts";
import { isWatched } from "./terminal.ts";
import { type Args, type Io, JSON_FLAG, type Verb, VerbFailure } from "./verb.ts";

export const store: Verb = {
  name: "store",
  common: false,
  summary: "print one hash of all that a store holds, or move it to another store",
  takes: "hash URL|migrate",
  flags: {
    from: { type: "string", value: "URL", help: "migrate: sqlite:PATH or redis://…; it is only read" },
    to: {
      type: "string",
      value: "URL",
      help: "migrate: an empty store, or the target that was not finished",
    },
    ...JSON_FLAG,
  },
  examples: [
    ["store hash sqlite:data/haraka.db --json", "the hash, and how many events there are"],
    [
      "store migrate --from sqlite:data/haraka.db --to 'redis://127.0.0.1:6379/0?namespace=shop'",
      "all of it; run again, it goes on",
    ],
  ],
  async run(args, io) {
    const [word, ...more] = args.positionals;
    const { from, to } = args.flags;
    const [url] = more;
    if (word === "hash" && url !== undefined && more.length === 1 && !from && !to)
      return await hash(url, { args, io });
    if (word === "migrate" && more.length === 0 && typeof from === "string" && typeof to === "string")
      return await migrate({ from, to }, { args, io });
    throw new UsageError(
      `cannot do 'store ${args.positionals.join(" ")}': it is store hash URL, or store migrate --from URL --to URL`,
    );
  },
};

async function hash(url: string, { args, io }: { args: Args; io: Io }): Promise<number> {
  const { hashStore } = await import("../compose/store-report.ts");
  const { hash: found, events } = await withStore(url, io, hashStore);
  print(args, io, { json: { hash: found, events }, text: `${found} events ${events}` });
  return ExitCode.ok;
}

async function migrate(
  urls: { from: string; to: string },
  { args, io }: { args: Args; io: Io },
): Promise<number> {
  const { migrateBetween } = await import("../compose/migrate-store.ts");
  const progress = isWatched() ? progressOn(io) : undefined;
  const result = await migrateBetween(urls, {
    cwd: io.cwd,
    onWarning: (message) => io.stderr(`haraka: ${message}\n`),
    onProgress: progress?.show ?? (() => {}),
  }).finally(progress?.end);
  if (result.type === "refused") throw new VerbFailure(result.reason);
  const { events, hash: both } = result;
  const text = `migrated: ${events} events, hash ${both.to} on both sides`;
  print(args, io, { json: { events, hash: both }, text });
  return ExitCode.ok;
}

function print({ flags }: Args, io: Io, { json, text }: { json: unknown; text: string }): void {
  io.stdout(flags["json"] === true ? `${JSON.stringify(json)}\n` : `${text}\n`);
}

/** One line of the terminal, written over until the end. */
function progressOn(io: Io): { show(progress: Progress): void; end(): void } {
  return {
    show({ doing, events, of }) {
      const percent = of === 0 ? 100 : Math.floor((100 * events) / of);
      io.stderr(`\r${doing}: ${percent} %, ${events} of ${of} events\x1b[K`);
    },
    end: () => io.stderr("\r\x1b[K"),
  };
}
