// `haraka sagas` beside a running runtime: it lists what there is, shows what is parked and why, and carries out what is decided.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type PlaneClient, planeOf } from "./support/plane.ts";
import { haraka, type Outcome, type Runtime, start } from "./support/runtime.ts";

const FILES = {
  "runtime.yaml": "runtime: { name: shop }\nplane: {}\nservices: { shop: { entrypoint: ./shop.ts } }",
  "shop.ts": `
import { saga } from "haraka-runtime";
const never = () => new Promise(() => {});
export default {
  startup() {
    const { intents, sagas } = this.runtime;
    intents.register("note", {}, ({ input }) => input);
    // In doubt after its time: nobody knows whether the card was charged.
    const pay = (name, attempts) => saga(name)
      .step("reserve", { execute: () => "shelf 7", compensate: () => {} })
      .step("pay", {
        execute: ({ attempt }) => (attempt <= attempts ? never() : "charged"),
        compensate: () => {},
        timeout: "20ms", inDoubt: "manual", retry: { attempts: 1, backoff: "1ms..2ms" },
      });
    sagas.register(pay("stuck", Infinity));
    sagas.register(pay("once", 1));
  },
};`,
};

let runtime: Runtime;
let plane: PlaneClient;
before(async () => {
  runtime = await start({ files: FILES }).started();
  plane = await planeOf(runtime);
});
after(() => runtime[Symbol.asyncDispose]());

const sagas = (...words: string[]): Promise<Outcome> =>
  haraka({ args: ["sagas", ...words], cwd: runtime.folder });

/** The id of one that is parked. */
async function parked(type: "stuck" | "once", headers: Record<string, string> = {}): Promise<string> {
  const asked = { headers };
  const session = (await plane.ask("POST /sessions", { json: { user: "ann" }, ...asked })).body.id;
  const json = { type, session, payload: {} };
  const { id } = (await plane.ask("POST /intents", { json, ...asked })).body;
  const { body } = await plane.ask(`GET /executions/${id}?wait=15s`, asked);
  assert.equal(body.state, "parked");
  return id;
}

/** What becomes of it. */
async function endOf(id: string): Promise<string> {
  return (await plane.ask(`GET /executions/${id}?wait=15s`)).body.state;
}

describe("haraka sagas", () => {
  test("list has those in a state, as a table and as JSON", async () => {
    const id = await parked("stuck");
    const table = await sagas("list", "--state", "parked");
    assert.equal(table.code, 0);
    assert.match(table.stdout, new RegExp(`^ID +TYPE +STATE +SINCE\n(.*\n)*${id} +stuck +parked +20.*Z\n`));
    const found = JSON.parse((await sagas("list", "--state", "parked", "--json")).stdout);
    assert.ok(found.some((each: { id: string; state: string }) => each.id === id && each.state === "parked"));
    assert.equal((await sagas("list", "--state", "cancelled")).stdout, "none\n");
  });

  test("show has the steps and what went wrong", async () => {
    const id = await parked("stuck");
    const { code, stdout } = await sagas("show", id);
    assert.equal(code, 0);
    assert.match(
      stdout,
      new RegExp(`^${id} stuck parked: "pay" is in doubt: it has taken longer than 20 ms\n\n`),
    );
    assert.match(stdout, /^STEP +STATE +ATTEMPTS +ERROR$/m);
    assert.match(stdout, /^reserve +completed +1$/m);
    assert.match(stdout, /^pay +in_doubt +1 +it has taken longer than 20 ms$/m);
    assert.equal(JSON.parse((await sagas("show", id, "--json")).stdout).saga.steps.length, 2);
  });

  test("retry tries again", async () => {
    const id = await parked("once");
    const { code, stdout } = await sagas("retry", id);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^retry: ${id} is \\w+\n$`));
    assert.equal(await endOf(id), "completed");
  });

  test("resolve --action done takes the output, and the saga goes on", async () => {
    const id = await parked("stuck");
    const words = ["resolve", id, "--action", "done", "--step", "pay", "--output", '{"charged":40}'];
    assert.equal((await sagas(...words)).code, 0);
    assert.equal(await endOf(id), "completed");
    const { saga } = (await plane.ask(`GET /executions/${id}`)).body;
    assert.deepEqual(saga.steps[1].output, { charged: 40 });
  });

  test("abort undoes what was done", async () => {
    const id = await parked("stuck");
    const outcome = await sagas("abort", id, "--json");
    assert.equal(outcome.code, 0);
    assert.equal(JSON.parse(outcome.stdout).id, id);
    assert.equal(await endOf(id), "compensated");
  });

  test("--tenant asks for another's, and nobody else's", async () => {
    const id = await parked("stuck", { "haraka-tenant": "acme" });
    assert.match((await sagas("list", "--tenant", "acme")).stdout, new RegExp(id));
    assert.doesNotMatch((await sagas("list")).stdout, new RegExp(id));
    assert.equal((await sagas("show", id)).code, 1);
    assert.equal((await sagas("abort", id, "--tenant", "acme")).code, 0);
  });

  test("list goes through all pages", async () => {
    const headers = { "haraka-tenant": "many" };
    const session = (await plane.ask("POST /sessions", { json: { user: "ann" }, headers })).body.id;
    const submit = async (): Promise<string> => {
      const json = { type: "note", session, payload: {} };
      return (await plane.ask("POST /intents", { json, headers })).body.id;
    };
    const ids = await Promise.all(Array.from({ length: 230 }, submit));
    const listed = JSON.parse((await sagas("list", "--tenant", "many", "--json")).stdout);
    assert.deepEqual(listed.map(({ id }: { id: string }) => id).toSorted(), ids.toSorted());
  });
});

describe("haraka sagas says what is wrong", () => {
  for (const [words, code, says] of [
    [
      ["show", "execution_none"],
      1,
      /^haraka: cannot find the execution "execution_none": the tenant "default" has none; /,
    ],
    [["list", "--state", "bogus"], 1, /^haraka: .*state: expected pending, running, /],
    [[], 2, /^haraka: cannot do 'sagas': it is sagas list, or sagas show, /],
    [["frob", "x"], 2, /^haraka: cannot do 'sagas frob x': /],
    [["show"], 2, /^haraka: cannot do 'sagas show': /],
    [["retry", ""], 2, /^haraka: cannot do 'sagas retry': .* with one ID\n/],
    [["abort", ".."], 2, /^haraka: cannot do 'sagas abort \.\.': /],
    [["show", "x", "--state", "parked"], 2, /^haraka: cannot show with --state: it goes with 'sagas list'\n/],
    [["retry", "x", "--step", "a"], 2, /^haraka: cannot retry with --action, --step or --output: /],
    [
      ["resolve", "x"],
      2,
      /^haraka: cannot resolve without a decision: --action is retry, done, skip or abort\n/,
    ],
    [
      ["resolve", "x", "--action", "done", "--output", "{"],
      2,
      /^haraka: cannot read --output '\{': it is JSON/,
    ],
  ] as const) {
    test(`sagas ${words.join(" ")}`, async () => {
      const outcome = await sagas(...words);
      assert.deepEqual([outcome.code, outcome.stdout], [code, ""], outcome.stderr);
      assert.match(outcome.stderr, says);
    });
  }

  test("of what is not parked, with what it is", async () => {
    const session = await plane.session();
    const { id } = await plane.done("note", { session });
    const { code, stderr } = await sagas("retry", id);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^haraka: cannot retry "${id}": it is completed`));
  });

  test("without a runtime, and without a plane", async () => {
    const nobody = await haraka({ args: ["sagas", "list"], files: FILES });
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /^haraka: cannot reach a runtime at /);
    const files = { "runtime.yaml": "services: { idle: { command: [sleep, '1000'] } }" };
    await using plain = await start({ files }).started();
    const { code, stderr } = await haraka({ args: ["sagas", "list"], cwd: plain.folder });
    assert.equal(code, 1);
    assert.equal(stderr, "haraka: cannot ask for executions: this runtime has no plane; add plane: {}\n");
  });
});
