// The bugs that a durable plane must not have, each to be planted in a copy of the source, with the test that has to turn red over it.
// Whoever moves one of these places moves it here, too; whoever thinks of another bug adds it.
import type { Edit } from "./planted-tree.ts";

export interface Exhibit {
  /** What it does wrong. */
  bug: string;
  edits: readonly Edit[];
  /** The file of the test, without its ending, and how its name goes on after that of what it stands in. */
  turnsRed: readonly [file: string, test: string];
  /** What the runner says of it, so that it is red for this reason. */
  says: RegExp;
}

const EMBEDDED = "src/drivers/store-embedded.ts";
const MEMORY = "src/drivers/store-memory.ts";
const SQLITE = "src/drivers/sqlite/engine.ts";
const SQLITE_FILE = "src/drivers/sqlite/file.ts";
const RUN = "src/plane/run.ts";

const edit = (file: string, find: string, replace: string): Edit => ({ file, find, replace });

const UNDOES_COMPLETED_ONLY = edit(
  "src/core/saga-step.ts",
  'step.phase === "completed" || step.phase === "in_doubt" || (step.phase === "backoff" && step.inDoubt)',
  'step.phase === "completed"',
);

const COMMITS_LATE = [
  edit(SQLITE, "this.#sql.begin.run();", "this.#commitLate?.();\n    this.#sql.begin.run();"),
  edit(
    SQLITE,
    "    this.#sql.commit.run();\n  }\n",
    "    this.#commitLate = () => void this.#sql.commit.run();\n  }\n\n  #commitLate: (() => void) | undefined;\n",
  ),
];

const TAKES_FAILED_APPEND = [
  edit(
    RUN,
    "    written.catch((error: unknown) => {\n      this.#isWriting = false;",
    "    written.catch((error: unknown) => {\n      return this.#written({ ok: true, firstSeq: 1, timeMs: 0, versions: [] }, thought);",
  ),
];

const early: readonly Exhibit[] = [
  {
    bug: "sqlite acknowledges before its COMMIT, which comes with the next batch",
    edits: COMMITS_LATE,
    turnsRed: ["drivers/store-crash", "store-begin, reached 2 times"],
    says: /an acknowledged commit is gone/,
  },
  {
    bug: "sqlite acknowledges before its COMMIT, and the runtime is killed by chance",
    edits: COMMITS_LATE,
    turnsRed: ["e2e/plane-kill", "30 times kill -9 lose nothing"],
    // Whatever it was that was acknowledged last: a session or what was patched in it, a value, an intent, a record.
    says: /seed \d+: (\S+ is lost|\S+ was closed, and is there|\S+: \d+ <= \d+ <= \d+|\S+: \{.*\}, is \d+|\d+ records .* are lost|record \d+ is another one|\S+ went out, and)/,
  },
  {
    bug: "an embedded store acknowledges before its batch counts",
    edits: [edit(EMBEDDED, "this.#engine.commit();", "setImmediate(() => this.#engine.commit());")],
    turnsRed: ["drivers/store-embedded", "nobody hears of a write before its batch counts"],
    says: /expected: \[ 1, 0, 2, 256 \]/,
  },
  {
    bug: "a call goes out before it is durable that it has started",
    edits: [
      edit(
        RUN,
        "const { append, progress, granted, answers } = thought;",
        "const { append, progress, granted, answers } = thought;\n    for (const call of progress.calls) this.#call(call);",
      ),
      edit(RUN, "for (const call of calls) this.#call(call);", "void calls;"),
    ],
    turnsRed: ["plane/engine", "a saga runs to its end, each step durable before its call"],
    says: /actual: "compensated",\n +expected: "completed"/,
  },
];

const swallowed: readonly Exhibit[] = [
  {
    bug: "sqlite does not sync",
    edits: [edit(SQLITE_FILE, "WAL; PRAGMA synchronous = FULL;", "WAL; PRAGMA synchronous = NORMAL;")],
    turnsRed: ["drivers/sqlite/file", "commits are synced, in a WAL, by the only connection"],
    says: /actual: \[ "wal", 1, "exclusive" \]/,
  },
  {
    bug: "an embedded store takes a batch that failed for written",
    edits: [
      edit(
        EMBEDDED,
        "      this.#lose(batch, error);\n      return undefined;",
        "      void error;\n      return batch.map(() => ({ ok: true, firstSeq: 1, timeMs: 0, versions: [] }));",
      ),
    ],
    turnsRed: ["drivers/store-embedded", "a batch that fails is the last"],
    says: /0 !== 344/,
  },
  {
    bug: "an execution takes an append that failed for written",
    edits: TAKES_FAILED_APPEND,
    turnsRed: ["plane/executions", "when the store is lost nothing is acknowledged"],
    says: /Missing expected rejection/,
  },
];

const orders: readonly Exhibit[] = [
  {
    bug: "an order is carried out whether or not it has an answer",
    edits: [edit(RUN, "({ key, version: 0 }))", "({ key, version: 0 })).slice(0, 0)")],
    turnsRed: ["plane/orders", "an order that is withdrawn while its owner writes is not done"],
    says: /has no saga_completed: .*cancel_requested/,
  },
];

const fenced: readonly Exhibit[] = ["memory", "sqlite"].map((driver) => ({
  bug: `${driver} takes what an old owner writes`,
  edits: [
    edit(
      EMBEDDED,
      "if (owner && !this.#claims.owns({ ...owner, tenant }))",
      "if (owner && tenant !== tenant)",
    ),
  ],
  turnsRed: ["contracts/store", `${driver}: owners only the latest token writes`],
  says: /\+ +ok: true,[^]*- +reason: 'fenced'/,
}));

const filtered: readonly Exhibit[] = [
  {
    bug: "memory filters its log after the limit",
    edits: [
      edit(
        MEMORY,
        "rows.filter(({ seq }) => seq > after).slice(0, limit)",
        "(tenant?.rows ?? []).slice(after, after + limit).filter((row) => rows.includes(row))",
      ),
    ],
    turnsRed: ["contracts/store", "memory: reading the log goes on after a sequence number"],
    says: /actual: \[ 2 \],\n +expected: \[ 2, 5, 8 \]/,
  },
  {
    bug: "sqlite filters its log after the limit",
    edits: [
      edit(
        SQLITE,
        "return id === undefined ? [] : rows(this.#sql.logOfExecution.all(id, ...range));",
        "return rows(this.#sql.log.all(...range)).filter((row) => id && row.execution === execution);",
      ),
    ],
    turnsRed: ["contracts/store", "sqlite: reading the log goes on after a sequence number"],
    says: /actual: \[ 2 \],\n +expected: \[ 2, 5, 8 \]/,
  },
  {
    bug: "the plane filters its log after the limit",
    edits: [edit("src/plane/page.ts", "count = isFull() ? 1 : HELPING;", "return pageUntil(items, after);")],
    turnsRed: ["plane/wal", "pages of the log W6: a filter applies before the limit"],
    says: /actual: \[\],\n +expected: \[ "session_/,
  },
];

const SCRIPTS = "src/drivers/redis/scripts.ts";

const WRITES = "src/drivers/redis/writes.ts";
const ACKNOWLEDGED = "{ ok: true, firstSeq: 1, timeMs: 0, versions: [] }";

const overRedis: readonly Exhibit[] = [
  {
    bug: "redis acknowledges before it has run the script",
    edits: [
      edit(
        WRITES,
        "      write.sent = generation;\n",
        `      write.sent = generation;\n      queueMicrotask(() => this.#settle(write, ${ACKNOWLEDGED}));\n`,
      ),
    ],
    turnsRed: ["redis/faults", "Redis killed and restarted under load keeps what was acknowledged"],
    says: /expected: \[\],\n/,
  },
  {
    bug: "redis need not sync",
    edits: [edit("src/drivers/redis/link.ts", '  { name: "appendfsync", value: "always" },\n', "")],
    turnsRed: ["redis/settings", "`appendfsync everysec` is refused"],
    says: /Missing expected rejection/,
  },
  {
    bug: "redis takes a write that was refused for written",
    edits: [
      edit(
        WRITES,
        "if (!mayBeThere) this.#reject(write, answer.message);",
        `if (!mayBeThere) this.#settle(write, ${ACKNOWLEDGED});`,
      ),
    ],
    turnsRed: ["redis/settings", "out of memory nothing is acknowledged"],
    says: /Missing expected rejection/,
  },
  {
    bug: "an execution in redis takes an append that failed for written",
    edits: TAKES_FAILED_APPEND,
    turnsRed: ["redis/engine", "a saga goes on after Redis was gone"],
    says: /a step has begun that could not be noted/,
  },
  {
    bug: "a saga in redis undoes only its completed steps",
    edits: [UNDOES_COMPLETED_ONLY],
    turnsRed: ["redis/engine", "a step in doubt is undone, too"],
    says: /actual: \[ "one" \],\n +expected: \[ "two", "one" \]/,
  },
  {
    bug: "leases of what was claimed run out before all of it is in memory",
    edits: [
      edit(
        "src/plane/leases.ts",
        "await this.#takeAll(claims);",
        "for (const claim of claims) await this.#options.take(claim);",
      ),
    ],
    turnsRed: ["plane/leases", "what is claimed is taken all at once"],
    says: /actual - expected[^]*- +execution: 'c'/,
  },
];

const redis: readonly Exhibit[] = [
  {
    bug: "redis takes what an old owner writes",
    edits: [edit(SCRIPTS, " or string.sub(owned, 1, 32) ~= token then", " then")],
    turnsRed: ["redis/contract", "redis: owners only the latest token writes"],
    says: /\+ +ok: true,[^]*- +reason: 'fenced'/,
  },
  {
    bug: "redis takes the client's clock for leases",
    edits: [
      edit(SCRIPTS, 'local clock = call("TIME")', "local clock = { KEYS[2] / 1000, 0 }"),
      edit(
        "src/drivers/redis/link.ts",
        '"1", key, ...args]',
        '"2", key, String(this.#options.clock.wallTime()), ...args]',
      ),
    ],
    turnsRed: ["redis/faults", "a clock that is an hour off changes no lease and no expiry"],
    says: /it is not the server's time/,
  },
  {
    bug: "redis does again what was done, when the connection was cut",
    edits: [edit(SCRIPTS, "if fields[2] == ARGV[firstAppend] then", "if false then")],
    turnsRed: ["redis/faults", "after Redis has run the script"],
    says: /"reason":"conflict","key":"k","version":3/,
  },
  {
    bug: "redis does what it was sent again for, when it arrives after all",
    edits: [edit(SCRIPTS, '> generation then return {"late"} end', "> generation then generation = 0 end")],
    turnsRed: ["redis/faults", "before Redis has run the script"],
    says: /actual: \[ "before", ("held", "held", "after"|"held", "after", "held") \]/,
  },
  {
    bug: "redis goes on with a log that has lost what was acknowledged",
    edits: [edit(SCRIPTS, 'if seq < known then return {"diverged", seq} end', "")],
    turnsRed: ["redis/faults", "one that is shorter is not written any more"],
    says: /Missing expected rejection/,
  },
  {
    bug: "redis filters its log after the limit",
    edits: [
      edit(
        SCRIPTS,
        'local numbers = call("LRANGE", list, low, low + tonumber(ARGV[3]) - 1)',
        'local numbers = {}\nfor _, n in ipairs(call("LRANGE", list, low, -1)) do if tonumber(n) <= after + tonumber(ARGV[3]) then numbers[#numbers + 1] = n end end',
      ),
    ],
    turnsRed: ["redis/contract", "redis: reading the log goes on after a sequence number"],
    says: /actual: \[ 2 \],\n +expected: \[ 2, 5, 8 \]/,
  },
];

export const exhibits: readonly Exhibit[] = [
  ...early,
  ...swallowed,
  ...orders,
  ...fenced,
  ...filtered,
  ...redis,
  ...overRedis,
  {
    bug: "an embedded store follows the clock when it is set back",
    edits: [
      edit(
        EMBEDDED,
        "this.#time.at({ wallMs: this.#clock.wallTime(), monotonicMs: this.#clock.now() })",
        "Math.floor(this.#clock.wallTime())",
      ),
    ],
    turnsRed: ["drivers/store-embedded", "time never goes back"],
    says: /expected: \[ undefined \]/,
  },
  {
    bug: "nothing expires for an hour when the clock is set back by one",
    edits: [
      edit(
        "src/core/steady-time.ts",
        "this.#timeMs + (monotonicMs - this.#monotonicMs)",
        "this.#timeMs + 0 * monotonicMs",
      ),
    ],
    turnsRed: ["drivers/store-embedded", "time goes on while the clock is set back"],
    says: /1000 !== 1\n/,
  },
  {
    bug: "a saga undoes only its completed steps",
    edits: [UNDOES_COMPLETED_ONLY],
    turnsRed: ["plane/engine", "a step in doubt is called again with the same key, and undone"],
    says: /actual: \[\],\n +expected: \[ undefined \]/,
  },
  {
    bug: "a saga undoes only its completed steps, in random lives",
    edits: [UNDOES_COMPLETED_ONLY],
    turnsRed: ["core/saga.property", "a saga does all or undoes what it did"],
    says: /Property failed[^]*is not undone/,
  },
];
