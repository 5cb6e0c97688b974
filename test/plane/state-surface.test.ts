// The state surface, over every embedded store: versions, compare-and-set, expiry, lists, names that are easily mistaken, and
// watches that miss nothing.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StateChange, StateSurface } from "../../src/ports/plane.ts";
import { HOUR_MS, type MakePlane, MINUTE_MS, NAMES, PLANES, rejects, take } from "./rig.ts";

for (const [name, make] of PLANES) {
  describe(`${name}: values`, () => valuesOf(make));
  describe(`${name}: names`, () => namesOf(make));
  describe(`${name}: expiry of values`, () => expiryOf(make));
  describe(`${name}: watching values`, () => watchOf(make));
}

function valuesOf(make: MakePlane): void {
  test("S2: every write raises the version by one, also over what was deleted or has expired", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    assert.equal(await state.get("ns", "k"), undefined);
    const put = async (ttlMs?: number) => {
      const { created, version } = await state.put("ns", "k", {
        value: 1,
        ...(ttlMs !== undefined && { ttlMs }),
      });
      return [created, version];
    };
    assert.deepEqual(await put(), [true, 1]);
    assert.deepEqual(await put(), [false, 2]);
    await state.delete("ns", "k");
    assert.deepEqual(await put(1_000), [true, 3]);
    await rig.clock.advance(1_000);
    assert.deepEqual(await put(), [true, 4]);
    await rejects(state.put("ns", "k", { value: 1, ifVersion: 2 }), "stale");
    const versions = (await rig.log("t")).map(({ payload }) => (payload as { version: number }).version);
    assert.deepEqual(versions, [1, 2, 2, 3, 4]);
  });

  test("S1: of writes that expect one version, one is made; 0 means that there is none", async () => {
    await using rig = await make();
    const replicas = [rig.plane, rig.other()];
    const attempts = async (ifVersion: number) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) =>
          (replicas[index % 2] ?? rig.plane).tenant("t").state.put("ns", "k", { value: index, ifVersion }),
        ),
      );
      for (const outcome of outcomes)
        if (outcome.status === "rejected") assert.equal(outcome.reason.problem, "stale");
      return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    };
    const { state } = rig.plane.tenant("t");
    for (const version of [0, 1, 2]) {
      const [made, ...others] = await attempts(version);
      assert.deepEqual([made?.version, made?.created, others], [version + 1, version === 0, []]);
      assert.deepEqual((await state.get("ns", "k"))?.value, made?.value);
    }
    assert.equal((await rig.log("t")).length, 3);
  });

  test("S1: counting by compare-and-set from two replicas loses nothing", async () => {
    await using rig = await make();
    const count = async (state: StateSurface): Promise<void> => {
      for (;;) {
        const present = await state.get("ns", "count");
        const next = { value: ((present?.value as number) ?? 0) + 1, ifVersion: present?.version ?? 0 };
        try {
          return void (await state.put("ns", "count", next));
        } catch (error) {
          assert.equal((error as { problem?: string }).problem, "stale");
        }
      }
    };
    const states = [rig.plane, rig.other()].map((plane) => plane.tenant("t").state);
    await Promise.all(states.flatMap((state) => Array.from({ length: 20 }, () => count(state))));
    const { value, version } = (await states[0]?.get("ns", "count")) ?? {};
    assert.deepEqual([value, version], [40, 40]);
  });

  test("a write without a condition always lands, whoever else writes and deletes", async () => {
    await using rig = await make();
    const states = [rig.plane, rig.other()].map((plane) => plane.tenant("t").state);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, async (_, index) => {
        const state = states[index % 2];
        if (index % 3 === 0) return state?.delete("ns", "k");
        await state?.put("ns", "k", { value: index });
      }),
    );
    for (const [index, outcome] of outcomes.entries())
      if (index % 3 === 0 && outcome.status === "rejected") assert.equal(outcome.reason.problem, "not-found");
      else assert.equal(outcome.status, "fulfilled");
    const log = await rig.log("t");
    const written = log.filter(({ type }) => type === "state_written");
    assert.equal(written.length, 40);
    assert.deepEqual(
      written.map(({ payload }) => (payload as { version: number }).version),
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
  });

  test("what is deleted is not there, and a deletion that does not hold changes nothing", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    await rejects(state.delete("ns", "k"), "not-found");
    await rejects(state.delete("ns", "k", { ifVersion: 3 }), "not-found");
    await state.put("ns", "k", { value: null });
    await rejects(state.delete("ns", "k", { ifVersion: 0 }), "stale");
    await rejects(state.delete("ns", "k", { ifVersion: 2 }), "stale");
    assert.deepEqual(await state.get("ns", "k"), { namespace: "ns", key: "k", value: null, version: 1 });
    await state.delete("ns", "k", { ifVersion: 1 });
    assert.equal(await state.get("ns", "k"), undefined);
    await rejects(state.delete("ns", "k"), "not-found");
  });

  test("a value comes back as it was when it was put, whatever is done to it meanwhile", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const text = '{"z":[1,null,true,"\\u0000\\ud800é",{"":0.1}],"a":{"__proto__":{"x":1}},"toJSON":1}';
    const value = JSON.parse(text);
    const put = state.put("ns", "k", { value });
    value.z.push("later");
    assert.equal(JSON.stringify((await put).value), text);
    assert.equal(JSON.stringify((await state.get("ns", "k"))?.value), text);
    const optional = { a: undefined, b: 1 } as never;
    assert.deepEqual((await state.put("ns", "k", { value: optional })).value, { b: 1 });
  });

  test("what is no JSON, too deep or too large is refused, and nothing is written", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const nested = (depth: number): never => JSON.parse("[".repeat(depth) + "]".repeat(depth)) as never;
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    for (const value of [undefined, () => 1, 1n, Number.NaN, Infinity, new Date(0), new Map(), cyclic])
      await rejects(state.put("ns", "k", { value: value as never }), "invalid");
    const sparse = [1];
    sparse[2] = 3;
    const { errors } = await rejects(state.put("ns", "k", { value: { a: sparse } }), "invalid");
    assert.equal(errors[0]?.path, "value.a[1]");
    await rejects(state.put("ns", "k", { value: nested(65) }), "invalid", /deeper than 64/);
    await rejects(state.put("ns", "k", { value: nested(100_000) }), "invalid");
    await rejects(state.put("ns", "k", { value: "x".repeat(1 << 20) }), "too-large");
    await rejects(state.put("ns", "k", { value: "é".repeat(1 << 19) }), "too-large");
    await rejects(state.put("ns", "k", { value: Array.from({ length: 1 << 20 }, () => 0) }), "too-large");
    assert.equal((await rig.log("t")).length, 0);
    await state.put("ns", "deep", { value: nested(64) });
    await state.put("ns", "large", { value: "x".repeat((1 << 20) - 2) });
  });

  test("a version or a time to live that cannot be is refused", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    for (const bad of [
      { ttlMs: 0 },
      { ttlMs: -1 },
      { ttlMs: 1.5 },
      { ttlMs: Infinity },
      { ttlMs: 1e15 },
      { ttlMs: "5s" as never },
      { ifVersion: -1 },
      { ifVersion: 0.5 },
    ])
      await rejects(state.put("ns", "k", { value: 1, ...bad }), "invalid");
    assert.equal((await rig.log("t")).length, 0);
  });
}

function namesOf(make: MakePlane): void {
  test("names that are alike are different tenants, namespaces and keys", async () => {
    await using rig = await make();
    for (const tenant of NAMES)
      for (const namespace of NAMES)
        await rig.plane.tenant(tenant).state.put(namespace, "k", { value: [tenant, namespace] });
    const { state } = rig.plane.tenant("a");
    for (const key of NAMES) await state.put("ns", key, { value: key });
    for (const tenant of NAMES)
      for (const namespace of NAMES) {
        const { items } = await rig.plane.tenant(tenant).state.list(namespace);
        const value = [tenant, namespace];
        assert.deepEqual(items, [{ namespace, key: "k", value, version: 1 }]);
      }
    for (const key of NAMES) assert.equal((await state.get("ns", key))?.value, key);
    assert.deepEqual(
      (await state.list("ns", { limit: 1000 })).items.map(({ key }) => key).toSorted(),
      NAMES.toSorted(),
    );
  });

  test("a name that is empty, too long or no Unicode is refused, wherever it stands", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const bad = [
      ["", "invalid"],
      ["\ud800", "invalid"],
      [7, "invalid"],
      ["x".repeat(513), "too-large"],
      ["é".repeat(257), "too-large"],
      ["x".repeat(1 << 20), "too-large"],
    ] as const;
    for (const [name, problem] of bad) {
      const text = name as string;
      await rejects(state.get(text, "k"), problem);
      await rejects(state.get("ns", text), problem);
      await rejects(state.put("ns", text, { value: 1 }), problem);
      await rejects(state.delete(text, "k"), problem);
      await rejects(state.list(text), problem);
      if (text !== "") await rejects(state.list("ns", { prefix: text }), problem);
      if (text !== "") await rejects(state.list("ns", { after: text }), problem);
      await rejects(
        (async () => void state.watch(text, { signal: AbortSignal.abort() }))(),
        problem,
        /^cannot watch/,
      );
      await rejects(
        (async () => void rig.plane.tenant(text))(),
        problem,
        /^cannot use the tenant: tenant must/,
      );
    }
    const longest = "é".repeat(256);
    await state.put(longest, longest, { value: 1 });
    assert.equal((await state.get(longest, longest))?.value, 1);
  });

  test("a list has what begins with the prefix, page by page, and no more", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const keys = Array.from({ length: 150 }, (_, index) => `a/${index}`);
    const others = ["a", "a%2F1", "b/1", "A/1", "a:1"];
    for (const key of [...keys, ...others]) await state.put("ns", key, { value: key });
    for (const limit of [1, 7, 64, 149, 150, 151, 1000]) {
      const found: string[] = [];
      for (let after: string | undefined, pages = 1; ; pages++) {
        const page = await state.list("ns", { prefix: "a/", limit, ...(after !== undefined && { after }) });
        found.push(...page.items.map(({ key }) => key));
        after = page.cursor;
        if (after !== undefined) continue;
        assert.equal(pages, Math.ceil(150 / limit));
        break;
      }
      assert.deepEqual(found.toSorted(), keys.toSorted());
    }
    assert.equal((await state.list("ns")).items.length, 100);
    assert.equal((await state.list("ns", { limit: 1_000_000 })).items.length, 155);
    assert.deepEqual(await state.list("ns", { prefix: "c" }), { items: [] });
    for (const limit of [0, -1, 1.5, Number.NaN]) await rejects(state.list("ns", { limit }), "invalid");
  });

  test("a page of large values ends early, and goes on from there", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const value = "x".repeat(1_000_000);
    for (let index = 0; index < 12; index++) await state.put("ns", `k${index}`, { value });
    const first = await state.list("ns");
    assert.equal(first.items.length, 5);
    const second = await state.list("ns", { after: first.cursor ?? "" });
    const third = await state.list("ns", { after: second.cursor ?? "" });
    const found = [first, second, third].flatMap(({ items }) => items.map(({ key }) => key));
    assert.equal(new Set(found).size, 12);
    assert.equal(third.cursor, undefined);
  });
}

function expiryOf(make: MakePlane): void {
  test("S4: what has expired is nowhere, before and after it is removed, and when the clock is set back", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const { expiresAtMs } = await state.put("ns", "k", { value: 1, ttlMs: MINUTE_MS });
    assert.equal(expiresAtMs, rig.clock.wallTime() + MINUTE_MS);
    await state.put("ns", "stays", { value: 1 });
    await rig.clock.advance(MINUTE_MS - 1);
    assert.deepEqual(await state.get("ns", "k"), {
      namespace: "ns",
      key: "k",
      value: 1,
      version: 1,
      expiresAtMs,
    });
    await rig.clock.advance(1);
    const check = async (surface: StateSurface): Promise<void> => {
      assert.equal(await surface.get("ns", "k"), undefined);
      assert.deepEqual(
        (await surface.list("ns")).items.map(({ key }) => key),
        ["stays"],
      );
      await rejects(surface.delete("ns", "k"), "not-found");
      await rejects(surface.put("ns", "k", { value: 2, ifVersion: 1 }), "stale");
    };
    await check(state);
    await state.put("ns", "stays", { value: 2 });
    rig.shift(-HOUR_MS);
    await check(state);
    const plane = await rig.restart();
    await check(plane.tenant("t").state);
    plane.start();
    const expired = plane.tenant("t").wal.tail({
      types: ["state_expired"],
      signal: new AbortController().signal,
    });
    const [record] = await take(expired, 1);
    assert.deepEqual(record?.payload, { namespace: "ns", key: "k", version: 1 });
    await check(plane.tenant("t").state);
  });

  test("a write without a time to live makes it stay", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    await state.put("ns", "k", { value: 1, ttlMs: 1_000 });
    assert.equal("expiresAtMs" in (await state.put("ns", "k", { value: 2 })), false);
    await rig.clock.advance(HOUR_MS);
    assert.equal((await state.get("ns", "k"))?.value, 2);
  });
}

function watchOf(make: MakePlane): void {
  test("S3: a watch sees every change of its namespace after its start, once, in order, and how it came about", async () => {
    await using rig = await make();
    rig.plane.start();
    const { state } = rig.plane.tenant("t");
    await state.put("ns", "before", { value: 0 });
    const [from] = await rig.log("t");
    const { signal } = new AbortController();
    await state.put("ns", "k", { value: { a: 1 } });
    await state.put("other", "k", { value: 1 });
    await rig.plane.tenant("u").state.put("ns", "k", { value: 1 });
    await rig.plane.tenant("t").sessions.create({ user: "u" });
    await state.delete("ns", "k");
    await state.put("ns", "k", { value: 2, ttlMs: 1_000 });
    await rig.clock.advance(2_000);
    const changes: StateChange[] = await take(state.watch("ns", { after: from?.seq ?? 0, signal }), 4);
    assert.deepEqual(changes, [
      { seq: 2, key: "k", type: "written", value: { a: 1 }, version: 1 },
      { seq: 5, key: "k", type: "deleted", version: 1 },
      { seq: 6, key: "k", type: "written", value: 2, version: 2 },
      { seq: 7, key: "k", type: "expired", version: 2 },
    ]);
  });

  test("S3: a watch that is opened while writes go on misses none after its start", async () => {
    await using rig = await make();
    const planes = [rig.plane, rig.other()];
    const writers = planes.map(async (plane, index) => {
      for (let value = 0; value < 100; value++)
        await plane.tenant("t").state.put("ns", `k${index}`, { value });
    });
    const watched: Promise<void>[] = [];
    for (let opened = 0; opened < 10; opened++) {
      await new Promise((turn) => setImmediate(turn));
      const after = (await rig.log("t")).length;
      const { state } = (planes[opened % 2] ?? rig.plane).tenant("t");
      const watch = take(state.watch("ns", { after, signal: new AbortController().signal }), 200 - after);
      watched.push(
        watch.then((changes) => {
          const seqs = Array.from({ length: 200 - after }, (_, index) => after + index + 1);
          assert.deepEqual(
            changes.map(({ seq }) => seq),
            seqs,
          );
        }),
      );
    }
    await Promise.all([...writers, ...watched]);
  });

  test("S3: without a start it begins with what is written after the call", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    await state.put("ns", "before", { value: 0 });
    const watch = state.watch("ns", { signal: new AbortController().signal });
    await state.put("ns", "after", { value: 1 });
    assert.deepEqual(
      (await take(watch, 1)).map(({ key }) => key),
      ["after"],
    );
    for (const after of [-1, 0.5, Number.NaN])
      assert.throws(() => state.watch("ns", { after, signal: AbortSignal.abort() }), /cannot read the log/);
  });

  test("a watch ends with its signal, also while it waits", async () => {
    await using rig = await make();
    const { state } = rig.plane.tenant("t");
    const abort = new AbortController();
    const watch = take(state.watch("ns", { after: 0, signal: abort.signal }), 10);
    await new Promise((turn) => setImmediate(turn));
    abort.abort();
    assert.deepEqual(await watch, []);
    assert.deepEqual(await take(state.watch("ns", { after: 0, signal: abort.signal }), 1), []);
  });
}
