// Random work on a store, several commits at once, against a model of it in a few lines: every answer, and everything that can be
// read, has to be the model's.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keyOf } from "../../src/core/key.ts";
import type { Commit, CommitResult, LogRecord, Store } from "../../src/ports/store.ts";
import type { MakeStore, StoreRig } from "./store.ts";

const tenant = fc.constantFrom("a:b", "a/b");
const key = fc.constantFrom(keyOf("n", "1"), keyOf("n", "2/3"), keyOf("n:", "\0"), keyOf("m", "é"));
const execution = fc.constantFrom("execution_1", "execution_2");

/** A commit in which versions are said by how far they are off. */
const draft = fc.record({
  tenant,
  expect: fc.array(fc.record({ key, off: fc.constantFrom(0, 0, 0, 1, -1) }), { maxLength: 2 }),
  append: fc.array(
    fc.record({ execution: fc.option(execution, { nil: undefined }), payload: fc.jsonValue() }),
    {
      maxLength: 3,
    },
  ),
  put: fc.array(
    fc.record({ key, value: fc.jsonValue(), ttlMs: fc.option(fc.integer({ min: 1_000, max: 9_000 })) }),
    {
      maxLength: 2,
    },
  ),
  remove: fc.array(key, { maxLength: 1 }),
});

const step = fc.oneof(
  { weight: 6, arbitrary: fc.array(draft, { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 5_000 }) },
);

interface ModelEntry {
  /** Absent once it is removed. */
  json?: string;
  version: number;
  expiresAtMs?: number;
}

class Model {
  readonly logs = new Map<string, LogRecord[]>();
  readonly entries = new Map<string, Map<string, ModelEntry>>();

  visible(tenant: string, key: string, timeMs: number): ModelEntry | undefined {
    const entry = this.entries.get(tenant)?.get(key);
    return entry?.json !== undefined && (entry.expiresAtMs ?? Infinity) > timeMs ? entry : undefined;
  }

  commit(
    tenant: string,
    { expect = [], append = [], put = [], remove = [] }: Commit,
    timeMs: number,
  ): CommitResult {
    for (const { key, version } of expect) {
      const there = this.visible(tenant, key, timeMs)?.version ?? 0;
      if (there !== version) return { ok: false, reason: "conflict", key, version: there };
    }
    const log = this.logs.get(tenant) ?? [];
    this.logs.set(tenant, log);
    const firstSeq = log.length + 1;
    for (const record of append) {
      const payload = JSON.parse(JSON.stringify(record.payload));
      log.push({ ...record, payload, tenant, seq: log.length + 1, timeMs });
    }
    const entries = this.entries.get(tenant) ?? new Map<string, ModelEntry>();
    this.entries.set(tenant, entries);
    const versions = put.map(({ key, value, expiresAtMs }) => {
      const version = (entries.get(key)?.version ?? 0) + 1;
      entries.set(key, {
        json: JSON.stringify(value),
        version,
        ...(expiresAtMs !== undefined && { expiresAtMs }),
      });
      return version;
    });
    for (const key of remove) {
      const entry = entries.get(key);
      if (entry) entries.set(key, { version: entry.version });
    }
    return { ok: true, firstSeq, timeMs, versions };
  }
}

export function modelContract(make: MakeStore): void {
  test("random commits give what the model gives", { timeout: 120_000 }, async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await using rig = await make();
      await follow(rig, steps);
    });
    await fc.assert(property, { numRuns: Number(process.env["HARAKA_STORE_RUNS"] ?? 60) });
  });
}

type Draft = typeof draft extends fc.Arbitrary<infer T> ? T : never;

async function follow({ store, turn }: StoreRig, steps: readonly (number | Draft[])[]): Promise<void> {
  const model = new Model();
  let made = 0;
  for (const one of steps) {
    if (typeof one === "number") {
      await turn(one);
      continue;
    }
    const probe = await store.commit("clock", {});
    assert.ok(probe.ok);
    const { timeMs } = probe;
    const commits = one.map((each): [string, Commit] => [
      each.tenant,
      {
        expect: each.expect.map(({ key, off }) => ({
          key,
          version: Math.max(0, (model.visible(each.tenant, key, timeMs)?.version ?? 0) + off),
        })),
        append: each.append.map(({ execution, payload }) => ({
          id: `event_${++made}`,
          type: "state_written",
          payload: payload as never,
          ...(execution !== undefined && { execution }),
        })),
        put: each.put.map(({ key, value, ttlMs }) => ({
          key,
          value: value as never,
          ...(ttlMs !== null && { expiresAtMs: timeMs + ttlMs }),
        })),
        remove: each.remove,
      },
    ]);
    const results = await Promise.all(commits.map(([tenant, commit]) => store.commit(tenant, commit)));
    for (const [index, [tenant, commit]] of commits.entries()) {
      const result = results[index];
      const expected = model.commit(tenant, commit, result?.ok ? result.timeMs : timeMs);
      assert.deepEqual(result, expected);
    }
    await compare(store, model, timeMs);
  }
}

async function compare(store: Store, model: Model, timeMs: number): Promise<void> {
  for (const tenant of ["a:b", "a/b"]) {
    const log = model.logs.get(tenant) ?? [];
    assert.deepEqual(await store.log(tenant, { after: 0, limit: 10_000 }), log);
    const ofOne = log.filter(({ execution, seq }) => execution === "execution_1" && seq > 2).slice(0, 3);
    assert.deepEqual(await store.log(tenant, { after: 2, limit: 3, execution: "execution_1" }), ofOne);
    const keys = [...(model.entries.get(tenant)?.keys() ?? [])].toSorted();
    const entries = keys.flatMap((key) => {
      const { json, ...entry } = model.visible(tenant, key, timeMs) ?? { version: 0 };
      return json === undefined ? [] : [{ key, value: JSON.parse(json), ...entry }];
    });
    assert.deepEqual((await store.scan(tenant, { prefix: "", limit: 100 })).items, entries);
    const named = await store.get(tenant, keys);
    assert.deepEqual(
      named.filter((entry) => entry !== undefined),
      entries,
    );
  }
}
