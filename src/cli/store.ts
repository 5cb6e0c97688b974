// `haraka store`: what a store holds, as one hash that is the same for every store that holds the same. It asks no running runtime: a
// store that one holds is refused.
import { ExitCode, UsageError } from "../errors.ts";
import { withStore } from "./store-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

export const store: Verb = {
  name: "store",
  common: false,
  summary: "print one hash of all that a store holds",
  takes: "hash URL",
  flags: JSON_FLAG,
  examples: [["store hash sqlite:data/haraka.db --json", "the hash, and how many events there are"]],
  async run({ flags, positionals }, io) {
    const [word, url, ...more] = positionals;
    if (word !== "hash" || url === undefined || more.length > 0)
      throw new UsageError(`cannot do 'store ${positionals.join(" ")}': it is store hash URL`);
    const { hashStore } = await import("../compose/store-report.ts");
    const { hash, events } = await withStore(url, io, hashStore);
    io.stdout(
      flags["json"] === true ? `${JSON.stringify({ hash, events })}\n` : `${hash} events ${events}\n`,
    );
    return ExitCode.ok;
  },
};
