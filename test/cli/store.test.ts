// The verbs that look into a store: what they print, when they say that something is wrong, and that they keep off one that is held.
import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { main } from "../../src/cli/cli.ts";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { testClock } from "../../src/compose/testing.ts";
import { FAILPOINTS } from "../../src/ports/failpoint.ts";
import { type Commit, SYSTEM_TENANT } from "../../src/ports/store.ts";
import { done } from "../contracts/store-tools.ts";
import { type Folder, storeFolder } from "../drivers/store-rig.ts";

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

async function haraka(folder: Folder, ...words: string[]): Promise<Outcome> {
  const outcome = { stdout: "", stderr: "" };
  const code = await main(words, {
    stdout: (text) => void (outcome.stdout += text),
    stderr: (text) => void (outcome.stderr += text),
    env: { HARAKA_DATA: folder.path },
    cwd: folder.path,
    main: import.meta.filename,
  });
  return { code, ...outcome };
}

type Work = [tenant: string, commit: Commit][];

const event = (id: string, payload: string) => ({ id, type: "state_written", payload }) as const;

const WORK: Work = [
  ["b", { append: [event("event_1", "x"), event("event_2", "y")] }],
  ["a/b", { append: [event("event_3", "z")], put: [{ key: "k", value: { x: 1, y: 2 } }] }],
];

async function write(folder: Folder, name: string, work: Work = WORK): Promise<string> {
  const store = await openStoreAt(`sqlite:${name}`, { clock: testClock(), cwd: folder.path });
  for (const [tenant, commit] of work) await done(store.commit(tenant, commit));
  await store.close();
  return join(folder.path, name);
}

test("wal verify gives each tenant's events and hash, of the default store, too", async () => {
  using folder = storeFolder();
  await write(folder, "haraka.db");
  const { code, stdout } = await haraka(folder, "wal", "verify", "--json");
  const report = JSON.parse(stdout);
  for (const tenant of report.tenants) {
    assert.match(tenant.hash, /^[0-9a-f]{64}$/);
    delete tenant.hash;
  }
  assert.deepEqual(
    { code, ...report },
    {
      code: 0,
      ok: true,
      tenants: [
        { tenant: "a/b", firstSeq: 1, events: 1, lastSeq: 1 },
        { tenant: "b", firstSeq: 1, events: 2, lastSeq: 2 },
      ],
    },
  );
  const named = await haraka(folder, "wal", "verify", "--json", "--store", "sqlite:haraka.db");
  assert.equal(named.stdout, stdout);
  const inWords = await haraka(folder, "wal", "verify");
  assert.match(
    inWords.stdout,
    /^"a\/b" events 1 lastSeq 1 hash \w+\n"b" events 2 .*\nok: 2 tenants, 3 events\n$/,
  );
});

for (const [name, sql, says] of [
  ["a record that is missing", "DELETE FROM log WHERE event = 'event_1'", "it comes after 0: there is a gap"],
  [
    "a last record that is missing",
    "DELETE FROM log WHERE event = 'event_2'",
    "the last record there is has 1",
  ],
  [
    "a type that there is not",
    "UPDATE log SET type = 'x' WHERE event = 'event_2'",
    "its type 'x' is unknown",
  ],
  ["time that goes back", "UPDATE log SET time_ms = 0 WHERE event = 'event_2'", "its time is before that"],
] as const) {
  test(`wal verify ends with 1 for ${name}`, async () => {
    using folder = storeFolder();
    const database = new DatabaseSync(await write(folder, "haraka.db"));
    database.exec(sql);
    database.close();
    const { code, stdout } = await haraka(folder, "wal", "verify", "--json");
    const { ok, problems } = JSON.parse(stdout);
    assert.deepEqual([code, ok, problems.length, problems[0].tenant, problems[0].seq], [1, false, 1, "b", 2]);
    assert.ok(problems[0].message.startsWith(says), problems[0].message);
    assert.match(
      (await haraka(folder, "wal", "verify")).stdout,
      /"b" record 2: .*\nnot ok: 2 tenants, \d events\n$/,
    );
  });
}

test("what belongs to no tenant is in neither hash", async () => {
  using folder = storeFolder();
  const system: Work = [[SYSTEM_TENANT, { put: [{ key: "registry/api/instance_a", value: 1 }] }]];
  const said: string[] = [];
  for (const [name, work] of [
    ["1.db", WORK],
    ["2.db", [...WORK, ...system]],
  ] as const) {
    await write(folder, name, [...work]);
    const hash = await haraka(folder, "store", "hash", `sqlite:${name}`, "--json");
    const wal = await haraka(folder, "wal", "verify", "--store", `sqlite:${name}`, "--json");
    said.push(hash.stdout + wal.stdout);
  }
  assert.equal(said[0], said[1]);
});

test("store hash is the same for what is the same, and no other", async () => {
  using folder = storeFolder();
  const hashOf = async (name: string, work: Work): Promise<{ hash: string; events: number }> => {
    await write(folder, name, work);
    const { code, stdout } = await haraka(folder, "store", "hash", `sqlite:${name}`, "--json");
    assert.equal(code, 0);
    return JSON.parse(stdout);
  };
  const first = await hashOf("1.db", WORK);
  assert.equal(first.events, 3);
  // Other tenants first, and keys of an object in another order.
  const put = [{ key: "k", value: { y: 2, x: 1 } }];
  assert.deepEqual(await hashOf("2.db", [["a/b", { ...WORK[1]?.[1], put }], ...WORK.slice(0, 1)]), first);
  const others = [
    await hashOf("3.db", WORK.slice(0, 1)),
    await hashOf("4.db", [...WORK, ["b", { put: [{ key: "k", value: 1 }] }]]),
    await hashOf("5.db", [...WORK, ["a/b", { put: [{ key: "k", value: { x: 1, y: 2 } }] }]]),
    await hashOf("6.db", [...WORK, ["b", { append: [event("event_4", "")] }]]),
  ];
  assert.equal(new Set([first, ...others].map(({ hash }) => hash)).size, 5);
});

test("a store that is held, missing or cut off ends them with 75 and stays as it is", async () => {
  using folder = storeFolder();
  const file = await write(folder, "haraka.db");
  const store = await openStoreAt("sqlite:haraka.db", { clock: testClock(), cwd: folder.path });
  const before = readFileSync(file);
  for (const words of [
    ["wal", "verify"],
    ["store", "hash", "sqlite:haraka.db"],
  ]) {
    const { code, stdout, stderr } = await haraka(folder, ...words);
    assert.deepEqual([code, stdout], [75, ""]);
    assert.match(
      stderr,
      new RegExp(`^haraka: cannot open the database ${file}: pid ${process.pid} on host `),
    );
  }
  await store.close();
  assert.deepEqual(readFileSync(file), before);
  truncateSync(file, 5_000);
  const cut = await haraka(folder, "wal", "verify");
  assert.deepEqual([cut.code, cut.stdout], [75, ""]);
  assert.match(cut.stderr, /haraka\.db: it is cut off: 5000 of \d+ bytes are there/);
  const missing = await haraka(folder, "store", "hash", "sqlite:none.db");
  assert.deepEqual([missing.code, missing.stdout], [75, ""]);
  assert.match(missing.stderr, /none\.db: there is no such file/);
});

test("wal failpoints lists every label", async () => {
  using folder = storeFolder();
  const { code, stdout } = await haraka(folder, "wal", "failpoints", "--json");
  const labels = JSON.parse(stdout).map(({ label }: { label: string }) => label);
  assert.deepEqual([code, labels], [0, Object.keys(FAILPOINTS)]);
  const inWords = await haraka(folder, "wal", "failpoints");
  assert.equal(inWords.stdout.split("\n").length, labels.length + 1);
});

test("other words end with 2", async () => {
  using folder = storeFolder();
  for (const words of [
    ["wal"],
    ["wal", "x"],
    ["wal", "verify", "x"],
    ["store"],
    ["store", "hash"],
    ["store", "x", "y"],
  ])
    assert.equal((await haraka(folder, ...words)).code, 2);
  assert.equal((await haraka(folder, "store", "hash", "postgres://x")).code, 2);
});
