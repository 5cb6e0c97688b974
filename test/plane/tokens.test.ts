// Tokens of sessions, over every embedded store: one is live, the use of an old one ends the session, none is kept anywhere, and
// whatever else is said is refused by looking at all of it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hashOf, isSame, newToken, readToken } from "../../src/plane/token.ts";
import { bound, HOUR_MS, type MakePlane, MINUTE_MS, NAMES, PLANES, rejects } from "./rig.ts";

for (const [name, make] of PLANES) {
  describe(`${name}: rotation`, () => rotationOf(make));
  describe(`${name}: secrecy`, () => secrecyOf(make));
}

function rotationOf(make: MakePlane): void {
  test("Z3: the new token opens the session, and the use of the old one ends it for good", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const { id, token: first } = await sessions.create({ user: "u" });
    const { token: second, version } = await sessions.rotate(id);
    const { token: third } = await sessions.rotate(id);
    assert.equal(version, 2);
    assert.equal((await rig.plane.sessionOf(third))?.id, id);
    assert.equal(await rig.other().sessionOf(first), undefined);
    const plane = await rig.restart();
    for (const token of [first, second, third]) assert.equal(await plane.sessionOf(token), undefined);
    await rejects(plane.tenant("t").sessions.get(id), "not-found");
    const types = (await rig.log("t")).map(({ type }) => type);
    assert.deepEqual(types, ["session_created", "session_rotated", "session_rotated", "session_revoked"]);
  });

  test("Z3: of rotations at once each gives a token, and exactly one of them is live", async () => {
    await using rig = await make();
    const replicas = [rig.plane, rig.other()];
    const { id, token } = await rig.plane.tenant("t").sessions.create({ user: "u" });
    const rotated = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        (replicas[index % 2] ?? rig.plane).tenant("t").sessions.rotate(id),
      ),
    );
    assert.equal((await rig.plane.tenant("t").sessions.get(id)).version, 11);
    const [live, ...others] = rotated.toSorted((a, b) => b.version - a.version);
    assert.equal((await rig.plane.sessionOf(live?.token ?? ""))?.id, id);
    const kept = (await rig.entries("t")).filter(({ key }) => key.startsWith("token/"));
    const hashes = await Promise.all([token, ...others.map((one) => one.token)].map(hashOf));
    assert.deepEqual(
      kept.filter(({ value }) => value === null).map(({ key }) => key.split("/")[2]),
      hashes.toSorted(),
    );
    assert.equal(await rig.plane.sessionOf(others[0]?.token ?? ""), undefined);
    assert.equal(await rig.plane.sessionOf(live?.token ?? ""), undefined);
  });

  test("Z3: an old token that is used many times at once ends one session once", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const { id, token } = await sessions.create({ user: "u" });
    const other = await sessions.create({ user: "u" });
    await sessions.rotate(id);
    const plane = rig.other();
    const uses = Array.from({ length: 10 }, (_, index) => (index % 2 ? plane : rig.plane).sessionOf(token));
    assert.deepEqual(new Set(await Promise.all(uses)), new Set([undefined]));
    const revoked = (await rig.log("t")).filter(({ type }) => type === "session_revoked");
    assert.deepEqual(
      revoked.map(({ session }) => session),
      [id],
    );
    assert.equal((await rig.plane.sessionOf(other.token))?.id, other.id);
  });

  test("a token opens its session until it expires or is closed, and prolongs nothing", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const session = await sessions.create({ user: "u", context: { a: 1 } });
    await rig.clock.advance(20 * MINUTE_MS);
    const { token, ...withoutToken } = session;
    assert.deepEqual(await rig.plane.sessionOf(token), withoutToken);
    await rig.clock.advance(10 * MINUTE_MS);
    assert.equal(await rig.plane.sessionOf(token), undefined);
    const closed = await sessions.create({ user: "u" });
    await sessions.close(closed.id);
    assert.equal(await rig.plane.sessionOf(closed.token), undefined);
  });

  test("what a session leaves behind is gone by its absolute end", async () => {
    await using rig = await make();
    rig.plane.start();
    const { sessions } = rig.plane.tenant("t");
    const { id, token } = await sessions.create({ user: "u", absoluteMs: HOUR_MS });
    await sessions.rotate(id);
    await sessions.rotate(id);
    await rig.plane.sessionOf(token);
    assert.equal((await rig.entries("t")).length, 2);
    await rig.clock.advance(HOUR_MS + MINUTE_MS);
    while ((await rig.store.expired(1)).length > 0) await new Promise((turn) => setImmediate(turn));
    assert.deepEqual(await rig.entries("t"), []);
  });
}

function secrecyOf(make: MakePlane): void {
  test("Z4: no token is on disk, in an entry or in the log, and no hash of one is in the log", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("tenänt");
    const made = await sessions.create({ user: "u", context: { a: 1 } });
    const tokens = [made.token];
    for (let round = 0; round < 3; round++) tokens.push((await sessions.rotate(made.id)).token);
    await sessions.patch(made.id, { context: { b: 1 } });
    await sessions.close((await sessions.create({ user: "u" })).id);
    const log = JSON.stringify(await rig.log("tenänt"));
    const entries = JSON.stringify(await rig.entries("tenänt"));
    const disk = rig.disk();
    for (const token of tokens) {
      const secret = token.split(".").at(-1) ?? "";
      assert.equal(secret.length, 43);
      for (const text of [log, entries, disk]) assert.ok(!text.includes(secret));
      const hash = await hashOf(token);
      assert.ok(entries.includes(hash));
      assert.ok(!log.includes(hash));
    }
  });

  test("Z5: a forged token opens nothing and ends nothing", async () => {
    await using rig = await make();
    const { sessions } = rig.plane.tenant("t");
    const { id, token } = await sessions.create({ user: "u" });
    const foreign = await rig.plane.tenant("u").sessions.create({ user: "u" });
    await sessions.rotate((await sessions.create({ user: "u" })).id);
    const [head = "", , secret = ""] = token.split(".");
    const last = secret.at(-1) === "A" ? "B" : "A";
    const forged = [
      (await newToken("t", id)).text,
      (await newToken("u", id)).text,
      (await newToken("t", foreign.id)).text,
      `${head}.${foreign.token.split(".")[1]}.${secret}`,
      `${foreign.token.split(".")[0]}.${token.split(".").slice(1).join(".")}`,
      token.slice(0, -1) + last,
      token.slice(0, -1),
      `${token}A`,
      ` ${token}`,
      `${token}\n`,
      token.toUpperCase(),
      token.replace("hs_", ""),
      "",
      "hs_",
      "hs_..",
      `hs_${"A".repeat(1 << 20)}.${"A".repeat(22)}.${"A".repeat(43)}`,
      `hs__-8.${"A".repeat(22)}.${"A".repeat(43)}`,
      id,
      "\0",
      "\ud800",
      await hashOf(token),
    ];
    for (const attempt of forged) assert.equal(await rig.plane.sessionOf(attempt), undefined, attempt);
    assert.equal((await rig.plane.sessionOf(token))?.id, id);
    assert.equal((await rig.plane.sessionOf(foreign.token))?.id, foreign.id);
  });

  test("Z5: it is the same work whether there is a session, a live token, or neither", async () => {
    await using rig = await make();
    const asked: number[] = [];
    const plane = rig.other({
      wrap: (store) => ({
        ...bound(store),
        get: (tenant, keys) => {
          asked.push(keys.length);
          return store.get(tenant, keys);
        },
      }),
    });
    const { id, token } = await rig.plane.tenant("t").sessions.create({ user: "u" });
    const unknown = `session_${"x".repeat(22)}`;
    for (const attempt of [token, (await newToken("t", id)).text, (await newToken("t", unknown)).text, "x"])
      await plane.sessionOf(attempt);
    assert.deepEqual(asked, [3, 3, 3, 3]);
  });
}

test("Z5: comparing looks at all of what was given, wherever it differs", () => {
  const known = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  const readsOf = (given: Uint8Array): number => {
    let reads = 0;
    const counted = new Proxy(given, {
      get(target, property) {
        if (property !== "length") reads++;
        return Reflect.get(target, property, target);
      },
    });
    assert.equal(
      isSame(known, counted),
      given.every((byte, index) => byte === known[index]),
    );
    return reads;
  };
  const changedAt = (index: number): Uint8Array => known.map((byte, at) => (at === index ? byte ^ 1 : byte));
  for (let index = -1; index < 8; index++) assert.equal(readsOf(changedAt(index)), 8);
  assert.equal(isSame(known, known.slice(0, 7)), false);
  assert.equal(isSame(known.slice(0, 7), known), false);
  assert.equal(isSame(new Uint8Array(), known), false);
  assert.equal(isSame(new Uint8Array([0]), new Uint8Array()), false);
});

test("a token says whose it is, whatever the tenant is called", async () => {
  const session = `session_${"-_".repeat(11)}`;
  for (const tenant of [...NAMES, "\ufeffa", "t".repeat(512)]) {
    const { text } = await newToken(tenant, session);
    assert.deepEqual(readToken(text), { tenant, session });
  }
});
