// Another reading of the config, for reloads: the same services with some changed, added or taken out, or one that must be
// refused. Draws it; nothing is applied here.
import { ConfigError, UsageError } from "../../src/errors.ts";
import type { Random } from "./random.ts";
import { type Draft, drawDraft } from "./scenario.ts";

export interface Reading {
  drafts: readonly Draft[];
  added: readonly string[];
  changed: readonly string[];
  removed: readonly string[];
}

/** Throws as a reader of a config does. */
export function drawReading(
  drafts: readonly Draft[],
  random: Random,
  { gently = false }: { gently?: boolean } = {},
): Reading {
  const kind = random.weigh({
    same: 1,
    changed: 5,
    added: 3,
    removed: 3,
    broken: 1,
    needsRestart: 1,
    circular: 1,
  });
  const none = { drafts, added: [], changed: [], removed: [] };
  const victim = random.pick(drafts);
  switch (kind) {
    case "same":
      return none;
    case "changed": {
      const victims = [victim, ...random.some(drafts, 0.2)];
      const next = drafts.map((draft) =>
        victims.includes(draft) ? changed(draft, { random, gently }) : draft,
      );
      return { ...none, drafts: next, changed: [...new Set(victims.map(({ spec }) => spec.name))] };
    }
    case "added": {
      // A name that has been taken out before may come back.
      const taken = new Set(drafts.map(({ spec }) => spec.name));
      const name = ["new0", "new1", "new2", "new3"].find((each) => !taken.has(each)) ?? "new4";
      if (taken.has(name)) return none;
      const groups = drafts
        .filter(({ spec }) => !spec.schedule && !spec.name.startsWith("new"))
        .map(({ spec }) => ({ name: spec.group, task: spec.task }));
      const unique = [...new Map(groups.map((group) => [group.name, group])).values()];
      const draft = drawDraft(random, { name, groups: unique });
      if (gently) draft.spec.critical = false;
      return { ...none, drafts: [...drafts, draft], added: [name] };
    }
    case "removed":
      // Where others need it, the graph is impossible and the reading is refused.
      if (victim.spec.group !== victim.spec.name) return none;
      if (gently && !victim.spec.name.startsWith("new")) return none;
      return { ...none, drafts: drafts.filter((draft) => draft !== victim), removed: [victim.spec.name] };
    case "circular": {
      const itself = {
        service: victim.spec.group,
        condition: "ready",
        required: true,
        restart: false,
      } as const;
      const spec = { ...victim.spec, dependencies: [...victim.spec.dependencies, itself] };
      return { ...none, drafts: drafts.map((draft) => (draft === victim ? { ...draft, spec } : draft)) };
    }
    case "broken":
      throw new ConfigError([{ file: "runtime.yaml", line: 1, column: 1, path: "", message: "is broken" }]);
    case "needsRestart":
      throw new UsageError("http has changed");
    default:
      return kind satisfies never;
  }
}

function changed(draft: Draft, { random, gently }: { random: Random; gently: boolean }): Draft {
  const { spec } = draft;
  const other = {
    ...spec,
    priority: random.pick([-1, 0, 1]),
    stopTimeoutMs: random.pick([50, 300, 2_000]),
  };
  if (gently) return { ...draft, spec: other };
  const another = {
    ...other,
    restart: { ...spec.restart, policy: random.pick(["never", "on-failure", "always"] as const) },
    dependencies: random.some(spec.dependencies, 0.8),
  };
  return { ...draft, spec: another, mood: random.pick(["calm", "moody", draft.mood]) };
}
