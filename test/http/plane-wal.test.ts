// The log over HTTP: filters and cursors, and the tail: its ids, its heartbeat, a slow reader, and the ways in which it ends.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { PlaneError, StoreError } from "../../src/errors.ts";
import { tail } from "../../src/http/plane-tail.ts";
import { testClock } from "../../src/compose/testing.ts";
import { fakePlane } from "../fakes/plane.ts";
import { eventsOf, planeRig } from "./plane-rig.ts";

const STREAM = { accept: "text/event-stream" };

suite("the log", () => {
  test("is read ascending, from behind a number on, page by page", async () => {
    const { ask, execution } = planeRig();
    const { id, session } = await execution();
    const all = await ask("GET /wal?after=0");
    assert.deepEqual(all.body.items[1], {
      seq: 2,
      id: "event_2",
      type: "intent_received",
      tenant: "default",
      time: "2026-01-01T00:00:00.002Z",
      session,
      execution: id,
      payload: {},
    });
    assert.equal(all.body.cursor, null);
    const first = await ask("GET /wal?limit=1");
    assert.equal(first.body.cursor, "1");
    const seqs = async (query: string) =>
      (await ask(`GET /wal?${query}`)).body.items.map(({ seq }: { seq: number }) => seq);
    assert.deepEqual(await seqs("limit=1&cursor=1"), [2]);
    assert.deepEqual(await seqs("after=1"), [2]);
    assert.deepEqual(await seqs("type=intent_received,session_closed"), [2]);
    assert.deepEqual(await seqs("type=intent_received&type=session_created"), [1, 2]);
    assert.deepEqual(await seqs(`session=${session}`), [1, 2]);
    assert.deepEqual(await seqs(`execution=${id}`), [2]);
    assert.deepEqual(await seqs("after=2"), []);
  });

  test("a filter that cannot be is 422 with each reason", async () => {
    const { ask } = planeRig();
    const { status, body } = await ask(
      "GET /wal?type=session_creatd,x&after=-1&limit=1001&cursor=a&execution=",
    );
    assert.equal(status, 422);
    assert.deepEqual(
      body.errors.map(({ path }: { path: string }) => path),
      ["after", "type[0]", "type[1]", "execution", "limit", "cursor"],
    );
    assert.match(body.errors[1].message, /did you mean "session_created"/);
    assert.match(body.errors[4].message, /from 1 to 1000/);
    assert.equal((await ask("GET /wal", { headers: { ...STREAM, "last-event-id": "x" } })).status, 422);
  });

  test("is one tenant's", async () => {
    const { ask, session } = planeRig();
    await session("ann", { headers: { "haraka-tenant": "a:b" } });
    assert.equal((await ask("GET /wal", { headers: { "haraka-tenant": "a" } })).body.items.length, 0);
    assert.equal((await ask("GET /wal", { headers: { "haraka-tenant": "a:b" } })).body.items.length, 1);
  });
});

suite("the tail", () => {
  test("begins with what is there and goes on with what is appended", async () => {
    const { request, session, execution } = planeRig();
    const { id } = await session();
    const response = await request("GET /wal?type=session_created", { headers: STREAM });
    const events = eventsOf(response);
    assert.equal(await events.block(), "retry: 1000");
    assert.deepEqual(await events.next().then((event) => [event?.id, event?.event, event?.data.session]), [
      1,
      "session_created",
      id,
    ]);
    await execution();
    assert.equal((await events.next())?.id, 2);
    await execution();
    assert.equal((await events.next())?.id, 4);
    await events.cancel();
  });

  test("loses nothing to a reader that is slow", async () => {
    const { request, session, plane } = planeRig();
    const response = await request("GET /wal", { headers: STREAM });
    for (let count = 0; count < 500; count++) await session();
    const events = eventsOf(response);
    for (let seq = 1; seq <= 500; seq++) assert.equal((await events.next())?.id, seq);
    await events.cancel();
    assert.equal(plane.tenantOf("default").waiting, 0);
  });

  test("has a comment every 15 s while nothing happens", async () => {
    const { request, clock, session } = planeRig();
    const events = eventsOf(await request("GET /wal", { headers: STREAM }));
    await events.block();
    const beat = events.block();
    await clock.advance(15_000);
    assert.equal(await beat, ":");
    await session();
    assert.equal((await events.next())?.id, 1);
    await events.cancel();
  });

  test("ends when the runtime does, with when to come back", async () => {
    const { request, ending, plane } = planeRig();
    const events = eventsOf(await request("GET /wal", { headers: STREAM }));
    await events.block();
    const last = events.block();
    while (plane.tenantOf("default").waiting === 0) await Promise.resolve();
    ending.abort("the runtime is stopping");
    assert.equal(await last, 'retry: 1000\nevent: end\ndata: {"reason":"the runtime is stopping"}');
    assert.equal(await events.block(), undefined);
    assert.equal(plane.tenantOf("default").waiting, 0);
    const late = eventsOf(await request("GET /wal", { headers: STREAM }));
    assert.deepEqual(
      [await late.block(), (await late.block())?.slice(0, 11)],
      ["retry: 1000", "retry: 1000"],
    );
  });

  test("says why it cannot go on", async () => {
    const told: unknown[] = [];
    const endOf = async (error: Error) => {
      const response = tail(
        // oxlint-disable-next-line require-yield
        async function* () {
          throw error;
        },
        {
          after: 0,
          clock: testClock(),
          ending: new AbortController().signal,
          onFailure: (failure) => void told.push(failure),
        },
      );
      return (await eventsOf(response).next())?.data.reason;
    };
    const lost = new StoreError("cannot read /data/haraka.db");
    assert.equal(await endOf(lost), "the store cannot be reached");
    assert.equal(await endOf(new PlaneError("conflict", "compacted up to 7")), "compacted up to 7");
    assert.deepEqual(told, [lost]);
  });

  test("what is no longer kept is 410, and an event of its own in a stream", async () => {
    const gone = new PlaneError("compacted", "cannot read the log from behind 3: it is compacted");
    const fake = fakePlane();
    const failing = () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(gone) }) });
    const refusing = { ...fake.tenant("default").wal, read: () => Promise.reject(gone), tail: failing };
    const plane = { ...fake, tenant: (name: string) => ({ ...fake.tenant(name), wal: refusing }) };
    const { ask, request } = planeRig({ plane: () => plane });
    const { status, body } = await ask("GET /wal?after=3");
    assert.deepEqual([status, body.title, body.detail], [410, "Gone", gone.message]);
    const events = eventsOf(await request("GET /wal?after=3", { headers: STREAM }));
    assert.equal((await events.next())?.event, "compacted");
    const last = await events.next();
    assert.deepEqual([last?.event, last?.data.reason], ["end", gone.message]);
  });

  test("is a list for who would rather have one", async () => {
    const { ask } = planeRig();
    const { body } = await ask("GET /wal", {
      headers: { accept: "application/json, text/event-stream;q=0.5" },
    });
    assert.deepEqual(body, { items: [], cursor: null });
  });

  test("HEAD gets its head and follows nothing", async () => {
    const { request, plane } = planeRig();
    const response = await request("HEAD /wal", { headers: STREAM });
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    assert.equal(await response.text(), "");
    assert.equal(plane.tenantOf("default").waiting, 0);
  });
});
