// Sessions, over every embedded store: what is laid over what, who may see what, when one ends, and that no change is lost. Their
// tokens have a suite of their own.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Session } from "../../src/ports/plane.ts";
import { bound, HOUR_MS, type MakePlane, MINUTE_MS, NAMES, PLANES, rejects } from "./rig.ts";

for (const [name, make] of PLANES) {
  describe(`${name}: a session`, () => lifeOf(make));
  describe(`${name}: changes of a session`, () => changesOf(make));
  describe(`${name}: the end of a session`, () => endOf(make));
  describe(`${name}: lists of sessions`, () => listsOf(make));
}

const withoutToken = ({ token: _token, ...session }: Session & { token: string }): Session => session;

function lifeOf(make: MakePlane): void {
  test("what is created is there, as it was told, and in the log before that", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const created = await sessions.create({ user: "ada", context: { cart: [1] }, idleMs: MINUTE_MS });
    const timeMs = rig.clock.wallTime();
    assert.match(created.id, /^session_[\w-]{22}$/);
    assert.deepEqual(withoutToken(created), {
      id: created.id,
      tenant: "t",
      user: "ada",
      context: { cart: [1] },
      state: "active",
      version: 1,
      createdAtMs: timeMs,
      updatedAtMs: timeMs,
      expiresAtMs: timeMs + MINUTE_MS,
    });
    assert.deepEqual(await sessions.get(created.id), withoutToken(created));
    const [record, ...others] = await rig.log("t");
    assert.deepEqual([record?.type, record?.session, others.length], ["session_created", created.id, 0]);
  });

  test("no two have one id or one token", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const made = await Promise.all(Array.from({ length: 200 }, () => sessions.create({ user: "u" })));
    assert.equal(new Set(made.map(({ id }) => id)).size, 200);
    assert.equal(new Set(made.map(({ token }) => token)).size, 200);
  });

  test("tenants with names alike never see each other's", async () => {
    await using rig = await make();
    const made = await Promise.all(
      NAMES.map((tenant) => rig.plane.tenant(tenant).sessions.create({ user: tenant })),
    );
    for (const [index, tenant] of NAMES.entries()) {
      const { sessions } = rig.plane.tenant(tenant);
      for (const { id, user } of made)
        if (user === tenant) assert.equal((await sessions.get(id)).user, tenant);
        else await rejects(sessions.get(id), "not-found");
      assert.deepEqual(
        (await sessions.list()).items.map(({ id }) => id),
        [made[index]?.id],
      );
      assert.deepEqual((await rig.plane.sessionOf(made[index]?.token ?? ""))?.tenant, tenant);
    }
  });

  test("closed, expired, revoked, unknown and foreign ones, and what is no id, are one answer to every question", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const [closed, expired, revoked] = await Promise.all([
      sessions.create({ user: "u" }),
      sessions.create({ user: "u", idleMs: MINUTE_MS }),
      sessions.create({ user: "u" }),
    ]);
    const foreign = await rig.plane.tenant("t:").sessions.create({ user: "u" });
    await sessions.close(closed.id);
    await sessions.rotate(revoked.id);
    assert.equal(await rig.plane.sessionOf(revoked.token), undefined);
    await rig.clock.advance(MINUTE_MS);
    const unknown = `session_${"x".repeat(22)}`;
    const ids = [closed, expired, revoked, foreign].map(({ id }) => id);
    const messages = new Set<string>();
    for (const id of [...ids, unknown, "", "session_", "a/b", "..", "\0", "\ud800", "x".repeat(1 << 20)])
      for (const ask of [
        () => sessions.get(id),
        () => sessions.patch(id, { context: {} }),
        () => sessions.patch(id, { context: {} }, { ifVersion: 1 }),
        () => sessions.touch(id),
        () => sessions.close(id),
        () => sessions.rotate(id),
      ])
        messages.add((await rejects(ask(), "not-found")).message);
    assert.equal(messages.size, 1, [...messages].join("\n"));
  });

  test("what cannot be is refused, all of it at once, and nothing is written", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const refused = await rejects(
      sessions.create({
        user: "",
        context: { a: [{ b: Number.NaN }] },
        idleMs: 31 * MINUTE_MS,
        absoluteMs: 0.5,
      }),
      "invalid",
    );
    assert.deepEqual(
      refused.errors.map(({ path }) => path),
      ["user", "context.a[0].b", "idleMs", "absoluteMs"],
    );
    for (const user of [7, null, "\ud800"])
      await rejects(sessions.create({ user: user as string }), "invalid");
    for (const context of [[], null, "x"])
      await rejects(sessions.create({ user: "u", context: context as never }), "invalid");
    await rejects(sessions.create({ user: "u".repeat(513) }), "too-large");
    await rejects(sessions.create({ user: "u", context: { a: "x".repeat(1 << 20) } }), "too-large");
    assert.deepEqual([await rig.log("t"), await rig.store.tenants()], [[], []]);
  });
}

function changesOf(make: MakePlane): void {
  test("Z1: of 100 patches at once none is lost, and each raises the version by one", async () => {
    await using rig = await make();
    const replicas = [rig.plane, rig.other(), rig.other()];
    const { id } = await rig.plane.tenant("t").sessions.create({ user: "u" });
    const patched = await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const { sessions } = (replicas[index % 3] ?? rig.plane).tenant("t");
        return sessions.patch(id, { context: { [`key${index}`]: index } });
      }),
    );
    const { context, version } = await rig.plane.tenant("t").sessions.get(id);
    assert.equal(Object.keys(context).length, 100);
    assert.equal(version, 101);
    assert.equal(new Set(patched.map((session) => session.version)).size, 100);
  });

  test("Z1: of patches that name one version, one is made and the others are stale", async () => {
    await using rig = await make();
    const [here, there] = [rig.plane.tenant("t").sessions, rig.other().tenant("t").sessions];
    const { id } = await here.create({ user: "u" });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? here : there).patch(id, { context: { by: index } }, { ifVersion: 1 }),
      ),
    );
    const made = outcomes.filter(({ status }) => status === "fulfilled");
    assert.equal(made.length, 1);
    for (const outcome of outcomes)
      if (outcome.status === "rejected") assert.equal(outcome.reason.problem, "stale");
    assert.equal((await here.get(id)).version, 2);
  });

  test("a patch lays key by key over what is there, and says so in the log", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const { id } = await sessions.create({ user: "u", context: { a: { x: 1 }, b: 2 } });
    const context = JSON.parse('{"a":{"y":1},"__proto__":{"admin":true},"c":null}');
    const patched = await sessions.patch(id, { context }, { ifVersion: 1 });
    assert.equal(JSON.stringify(patched.context), '{"a":{"y":1},"b":2,"__proto__":{"admin":true},"c":null}');
    assert.equal(({} as { admin?: boolean }).admin, undefined);
    assert.deepEqual(await sessions.get(id), patched);
    const record = (await rig.log("t")).at(-1);
    assert.ok(record?.type === "session_updated");
    assert.equal(JSON.stringify((record.payload as { context: unknown }).context), JSON.stringify(context));
    await rejects(sessions.patch(id, { context: {} }, { ifVersion: 1 }), "stale", /its version is 2, not 1/);
    await rejects(sessions.patch(id, { context: {} }, { ifVersion: -1 }), "invalid");
    await rejects(sessions.patch(id, { context: [] as never }), "invalid");
  });

  test("a context that would grow beyond the limit stays what it was", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const half = "x".repeat(600_000);
    const { id } = await sessions.create({ user: "u", context: { a: half } });
    await rejects(sessions.patch(id, { context: { b: half } }), "too-large");
    assert.deepEqual((await sessions.get(id)).version, 1);
  });

  test("nobody hears of a change before the store has it, and nobody does if the store has not", async () => {
    await using rig = await make();
    const gate = Promise.withResolvers<void>();
    let held = 0;
    const slow = rig.other({
      wrap: (store) => ({
        ...bound(store),
        commit: async (tenant, commit) => {
          if (!commit.append?.length) return store.commit(tenant, commit);
          held++;
          await gate.promise;
          throw new Error("the disk is full");
        },
      }),
    });
    const { id } = await rig.plane.tenant("t").sessions.create({ user: "u" });
    const { sessions, state } = slow.tenant("t");
    let settled = 0;
    const changes = [
      sessions.create({ user: "u" }),
      sessions.patch(id, { context: { a: 1 } }),
      state.put("ns", "k", { value: 1 }),
    ].map((change) => change.finally(() => settled++));
    for (const change of changes) change.catch(() => {});
    while (held < changes.length) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(settled, 0);
    gate.resolve();
    for (const change of changes) await assert.rejects(change, /the disk is full/);
    assert.deepEqual((await rig.plane.tenant("t").sessions.get(id)).version, 1);
    assert.equal((await rig.log("t")).length, 1);
  });
}

function endOf(make: MakePlane): void {
  test("it expires when it is not used, and use makes it last", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const { id } = await sessions.create({ user: "u", idleMs: 10 * MINUTE_MS, absoluteMs: HOUR_MS });
    for (const use of [
      () => sessions.touch(id),
      () => sessions.patch(id, { context: {} }),
      () => sessions.rotate(id),
    ]) {
      await rig.clock.advance(9 * MINUTE_MS);
      assert.equal((await use()).expiresAtMs, rig.clock.wallTime() + 10 * MINUTE_MS);
    }
    await rig.clock.advance(10 * MINUTE_MS - 1);
    await sessions.get(id);
    await rig.clock.advance(1);
    await rejects(sessions.get(id), "not-found");
  });

  test("it expires at its absolute end, however much it is used", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const { id, createdAtMs } = await sessions.create({ user: "u", absoluteMs: HOUR_MS });
    await rig.clock.advance(25 * MINUTE_MS);
    await sessions.touch(id);
    await rig.clock.advance(25 * MINUTE_MS);
    assert.equal((await sessions.touch(id)).expiresAtMs, createdAtMs + HOUR_MS);
    await rig.clock.advance(10 * MINUTE_MS);
    await rejects(sessions.touch(id), "not-found");
  });

  test("Z2: what is closed, expired or revoked stays so: elsewhere, after a restart, and when the clock is set back", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const closed = await sessions.create({ user: "u" });
    const revoked = await sessions.create({ user: "u" });
    const expired = await sessions.create({ user: "u", idleMs: MINUTE_MS });
    const alive = await sessions.create({ user: "u" });
    await sessions.close(closed.id);
    const { token: rotated } = await sessions.rotate(revoked.id);
    assert.equal(await rig.plane.sessionOf(revoked.token), undefined);
    await rig.clock.advance(MINUTE_MS);
    await rejects(sessions.get(expired.id), "not-found");
    // So that the store has been told that it is later than it will be said to be.
    await sessions.touch(alive.id);
    rig.shift(-HOUR_MS);
    const dead = [closed.token, revoked.token, rotated, expired.token];
    for (const makePlane of [() => rig.plane, () => rig.other(), () => rig.restart()]) {
      const plane = await makePlane();
      for (const token of dead) assert.equal(await plane.sessionOf(token), undefined);
      for (const { id } of [closed, revoked, expired])
        await rejects(plane.tenant("t").sessions.get(id), "not-found");
      assert.equal((await plane.sessionOf(alive.token))?.id, alive.id);
    }
  });

  test("Z2: a patch that comes with a close does not bring it back", async () => {
    await using rig = await make();
    for (let round = 0; round < 20; round++) {
      const [here, there] = [rig.plane.tenant("t").sessions, rig.other().tenant("t").sessions];
      const { id, token } = await here.create({ user: "u" });
      const [, closed] = await Promise.allSettled([
        here.patch(id, { context: { a: 1 } }),
        there.close(id),
        here.touch(id),
        there.rotate(id),
      ]);
      assert.equal(closed?.status, "fulfilled");
      await rejects(here.get(id), "not-found");
      assert.equal(await rig.plane.sessionOf(token), undefined);
    }
    assert.deepEqual(
      (await rig.entries("t")).filter(({ key }) => !/^token\/.*\/.*/.test(key)),
      [],
    );
  });

  test("each change is one record, in the order of its versions", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const { id, token } = await sessions.create({ user: "u" });
    await sessions.touch(id);
    await sessions.patch(id, { context: { a: 1 } });
    await sessions.rotate(id);
    await rig.plane.sessionOf(token);
    const other = await sessions.create({ user: "u" });
    await sessions.close(other.id);
    assert.deepEqual(
      (await rig.log("t")).map(({ type, session, payload }) => [
        type,
        session,
        (payload as { version: number }).version,
      ]),
      [
        ["session_created", id, 1],
        ["session_updated", id, 2],
        ["session_updated", id, 3],
        ["session_rotated", id, 4],
        ["session_revoked", id, 4],
        ["session_created", other.id, 1],
        ["session_closed", other.id, 1],
      ],
    );
  });
}

function listsOf(make: MakePlane): void {
  test("a user's are found page by page, and nobody else's with them", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const users = ["u", "u/", "u/x", "U", "u%2F"];
    const made = await Promise.all(
      Array.from({ length: 25 }, (_, index) => sessions.create({ user: users[index % 5] ?? "" })),
    );
    const [gone] = made;
    await sessions.close(gone?.id ?? "");
    const alive = made.slice(1);
    for (const user of [...users, undefined]) {
      const found: Session[] = [];
      let cursor: string | undefined;
      do {
        const page = await sessions.list({
          limit: 2,
          ...(user !== undefined && { user }),
          ...(cursor !== undefined && { after: cursor }),
        });
        assert.ok(page.items.length <= 2);
        found.push(...page.items);
        cursor = page.cursor;
      } while (cursor !== undefined);
      const wanted = alive.filter((session) => user === undefined || session.user === user);
      assert.deepEqual(
        found.map(({ id }) => id),
        wanted.map(({ id }) => id).toSorted(),
      );
    }
    await rejects(sessions.list({ after: "a/b" }), "invalid");
    await rejects(sessions.list({ limit: 0 }), "invalid");
    assert.deepEqual(await sessions.list({ user: "nobody" }), { items: [] });
  });
}
