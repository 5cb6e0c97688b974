import assert from "node:assert/strict";
import { test } from "node:test";
import { statusLines, storyOf, type Change } from "../../src/compose/dev-story.ts";

function story({
  files = {},
  kept = [],
  difference = {},
  ...rest
}: Partial<Omit<Change, "difference">> & {
  files?: Record<string, string[]>;
  kept?: string[];
  difference?: Partial<Record<"added" | "changed" | "removed", string[]>>;
}): string {
  return storyOf({
    config: [],
    dependents: [],
    retried: [],
    cwd: "/app",
    ...rest,
    difference: {
      added: [],
      changed: [],
      removed: [],
      ...difference,
      files: new Map(Object.entries(files)),
      kept: new Map(kept.map((name) => [name, "no luck"])),
    },
  });
}

test("storyOf names each file with the services it restarts, then those that need them", () => {
  const files = { a: ["/app/src/a.ts"], b: ["/lib/b.ts"], c: ["/app/src/a.ts"] };
  assert.equal(
    story({ files, difference: { changed: ["a", "b", "c"] }, dependents: ["d"] }),
    "src/a.ts changed: restarting a, c; /lib/b.ts changed: restarting b; then d, which needs them",
  );
});

test("storyOf blames the config for what no other file explains", () => {
  const config = ["/app/runtime.yaml"];
  assert.equal(
    story({ config, difference: { changed: ["a"], added: ["b"], removed: ["c"] } }),
    "runtime.yaml changed: restarting a; starting b; stopping c",
  );
  assert.equal(story({ config, difference: { removed: ["c"] } }), "runtime.yaml changed: stopping c");
  assert.equal(story({ config }), "runtime.yaml changed: nothing to restart");
  assert.equal(story({}), "nothing has changed");
});

test("storyOf says what could not be restarted, and what is tried again", () => {
  assert.equal(
    story({ files: { a: ["/app/a.ts"] }, kept: ["a"], retried: ["b"] }),
    "a.ts changed: cannot restart a; trying b again",
  );
});

test("storyOf counts files where there are many", () => {
  const files = { a: ["1", "2", "3", "4", "5"].map((name) => `/app/${name}`) };
  assert.equal(story({ files, difference: { changed: ["a"] } }), "1, 2, 3 and 2 more changed: restarting a");
});

test("statusLines gives each service its number and what there is to say of it", () => {
  const service = {
    kind: "process",
    critical: true,
    blockedBy: [],
    dependencies: [],
    sinceMs: 1_000,
  } as const;
  assert.deepEqual(
    statusLines(
      [
        { ...service, name: "a", group: "a", state: "ready", pid: 7, restarts: 1 },
        { ...service, name: "long", group: "long", state: "failed", restarts: 2, reason: "ended with 3" },
      ],
      181_000,
    ),
    [" 1 a    ready 3m, pid 7, 1 restart", " 2 long failed 3m, 2 restarts, ended with 3"],
  );
});
