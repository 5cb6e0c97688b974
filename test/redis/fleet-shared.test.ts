// What replicas share, asked over HTTP at whichever of them: state by compare-and-set, sessions that are closed everywhere at once, and tails
// and watches that see at one replica what another has written, also across a move to a third.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { contradictions, type Operation } from "../contracts/store-history.ts";
import type { PlaneClient, StreamEvent } from "../e2e/support/plane.ts";
import { Random } from "../simulation/random.ts";
import { Fleet } from "./fleet.ts";
import { fleetYaml } from "./order-load.ts";
import { RedisServer } from "./server.ts";

const SEED = Date.now() % 2 ** 32;
const TIMEOUT = { timeout: 60_000 };
const CLIENTS = 8;
const WRITES_EACH = 12;

let server: RedisServer;
let fleet: Fleet;
before(async () => {
  server = await RedisServer.start();
  const yaml = fleetYaml(`url: "${server.url}"`, " {}");
  fleet = await Fleet.start(3, { yaml, random: new Random(SEED), patienceMs: 90_000 });
});
after(async () => {
  await fleet[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test(`compare-and-set over HTTP is linearizable, whoever is asked (seed ${SEED})`, TIMEOUT, async () => {
  const history: Operation[] = [];
  let moment = 0;
  const versionIn = (headers: Headers): number => Number((headers.get("etag") ?? '"0"').replaceAll('"', ""));
  const client = async (): Promise<void> => {
    for (let wrote = 0; wrote < WRITES_EACH;) {
      let invoked = moment++;
      const read = await fleet.ask("GET /state/n/count");
      const version = read.status === 404 ? 0 : versionIn(read.headers);
      history.push({ invoked, returned: moment++, wrote: false, version });
      assert.equal(read.body.value ?? 0, version, "a version and its value are not of one write");
      const condition: Record<string, string> =
        version === 0 ? { "if-none-match": "*" } : { "if-match": `"${version}"` };
      invoked = moment++;
      const write = await fleet.ask("PUT /state/n/count", {
        json: { value: version + 1 },
        headers: condition,
      });
      if (write.status === 412) continue;
      assert.equal(write.status, version === 0 ? 201 : 200, write.text);
      history.push({ invoked, returned: moment++, wrote: true, version: versionIn(write.headers) });
      wrote++;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  assert.deepEqual(contradictions(history), []);
  assert.equal(history.filter(({ wrote }) => wrote).length, CLIENTS * WRITES_EACH);
  for (let index = 0; index < fleet.size; index++)
    assert.equal((await fleet.plane(index).ask("GET /state/n/count")).body.value, CLIENTS * WRITES_EACH);
});

test(
  "a session is one everywhere: no patch is lost, one token lives, and what is over is over",
  TIMEOUT,
  async () => {
    const [a, b, c] = [fleet.plane(0), fleet.plane(1), fleet.plane(2)];
    const reads = async (plane: PlaneClient, id: string, token: string) =>
      (await plane.ask(`GET /sessions/${id}`, { headers: { "haraka-session": token } })).status;
    const { body: session } = await a.ask("POST /sessions", { json: { user: "ann" } });
    const path = `/sessions/${session.id}`;
    await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        const { status, text } = await fleet.ask(`PATCH ${path}`, { json: { context: { [`key${n}`]: n } } });
        assert.equal(status, 200, text);
      }),
    );
    const { body: patched } = await b.ask(`GET ${path}`);
    assert.deepEqual([Object.keys(patched.context).length, patched.version], [30, 31]);
    const rotations = await Promise.all([a, b, c].map((plane) => plane.ask(`POST ${path}/rotate`)));
    const tokens = rotations.map(({ status, body, text }) => {
      assert.equal(status, 200, text);
      return body.token as string;
    });
    const { body: last } = await c.ask(`POST ${path}/rotate`);
    for (const plane of [a, b, c]) assert.equal(await reads(plane, session.id, last.token), 200);
    assert.equal(await reads(b, session.id, tokens[0] ?? ""), 401);
    for (const plane of [a, b, c])
      assert.equal(
        await reads(plane, session.id, last.token),
        401,
        "it lives although an old token was used",
      );

    const { body: other } = await b.ask("POST /sessions", { json: { user: "bob" } });
    for (const plane of [a, b, c]) assert.equal(await reads(plane, other.id, other.token), 200);
    assert.equal((await c.ask(`DELETE /sessions/${other.id}`)).status, 204);
    for (const plane of [a, b, c]) {
      assert.equal(await reads(plane, other.id, other.token), 401);
      assert.equal((await plane.ask(`GET /sessions/${other.id}`)).status, 404);
    }
  },
);

/** Reads at one replica and goes on at another, as a browser does it: each stretch ends in the middle of the writing. */
async function follow(
  path: string,
  { at, until }: { at: readonly number[]; until: (event: StreamEvent) => boolean },
): Promise<StreamEvent[]> {
  const seen: StreamEvent[] = [];
  for (const [stretch, index] of at.entries()) {
    const last = seen.at(-1);
    const headers: Record<string, string> = last ? { "last-event-id": String(last.id) } : {};
    const isLast = stretch === at.length - 1;
    let left = 40;
    for await (const event of fleet.plane(index).events(path, headers)) {
      seen.push(event);
      if (until(event)) return seen;
      if (!isLast && --left === 0) break;
    }
  }
  return seen;
}

test(
  "a tail of the log and a watch of state miss nothing of what another replica writes",
  TIMEOUT,
  async () => {
    const writer = fleet.plane(0);
    const writes = 200;
    const { body: session } = await writer.ask("POST /sessions", { json: { user: "begin" } });
    const page = await writer.ask(`GET /wal?session=${session.id}`);
    const from = page.body.items[0].seq as number;
    const isEnd = ({ data }: StreamEvent): boolean => JSON.stringify(data).includes("the end");
    const tailing = follow(`/wal?after=${from}`, { at: [1, 2, 1, 2], until: isEnd });
    const watching = follow(`/state/tail?after=${from}`, { at: [2, 1, 2, 1], until: isEnd });
    for (let n = 1; n <= writes; n++) {
      const value = n === writes ? "the end" : n;
      const { status } = await writer.ask(`PUT /state/tail/k${n}`, { json: { value } });
      assert.equal(status, 201);
    }
    const tailed = await tailing;
    assert.deepEqual(
      tailed.map(({ id }) => id),
      Array.from({ length: writes }, (_, index) => from + index + 1),
    );
    const watched = await watching;
    assert.deepEqual(
      watched.map(({ id }) => id),
      tailed.map(({ id }) => id),
    );
    assert.deepEqual(
      watched.map(({ data }) => data.key),
      Array.from({ length: writes }, (_, index) => `k${index + 1}`),
    );
  },
);
