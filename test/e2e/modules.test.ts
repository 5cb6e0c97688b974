// Module services in the binary: TypeScript files outside of it, which import the library that is inside; and everything that
// can be wrong with them, said by `validate` with 2 and by `run` with 1.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import * as library from "haraka-runtime";
import { haraka, isRunning, start } from "./support/runtime.ts";

const GREETER = `
import { Service, z } from "haraka-runtime";
import { punctuation } from "./punctuation.ts";

export const settings = z.object({ greeting: z.string(), times: z.number().int().default(1) });

export class Greeter extends Service<z.infer<typeof settings>> {
  async startup(): Promise<void> {
    this.runtime.log.info(\`\${this.name}: \${this.settings.greeting.repeat(this.settings.times)}\${punctuation}\`);
  }
  routes(app) {
    app.get("/greet", (c) => c.text(this.settings.greeting));
  }
  shutdown(): void {
    this.runtime.log.info("bye");
  }
}
`;

test("a module imports the library and its neighbours with no node_modules beside it", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml":
        'services: { hello: { entrypoint: "./greeter.ts#Greeter", settings: { greeting: Hi } } }',
      "greeter.ts": GREETER,
      "punctuation.ts": 'export const punctuation: string = "!";',
    },
  });
  await runtime.started();
  assert.equal(await (await runtime.get("/greet")).text(), "Hi");
  assert.equal((await runtime.stop()).code, 0);
  assert.deepEqual(runtime.messages("hello"), ["hello: Hi!", "ready", "bye", "stopped"]);
});

test("a module finds in the library what src/mod.ts exports", async () => {
  const { code, stdout } = await haraka({
    files: {
      "runtime.yaml": "services: { names: { kind: task, entrypoint: ./names.ts } }",
      "names.ts": `
import * as library from "haraka-runtime";
export default {
  startup() {
    this.runtime.log.info("exports", { names: Object.keys(library), kinds: Object.values(library).map((each) => typeof each) });
  },
};`,
    },
  });
  assert.equal(code, 0);
  const record = JSON.parse(stdout.split("\n").find((line) => line.includes('"exports"')) ?? "") as {
    names: string[];
  };
  assert.deepEqual(
    record.names.filter((name) => name !== "default").toSorted(),
    Object.keys(library).toSorted(),
  );
});

test("a module gets the peers that it declares", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  store: { entrypoint: "./peers.ts#Store" }
  user: { entrypoint: "./peers.ts#User", dependencies: [store] }
`,
      "peers.ts": `
import { Service } from "haraka-runtime";
export class Store extends Service { value = 42; }
export class User extends Service {
  startup() { this.runtime.log.info(\`found \${this.runtime.get(Store).value}\`); }
}`,
    },
  });
  await runtime.record("user", "found 42");
});

test("a manual module is not ready before it says so", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": "services: { warm: { entrypoint: ./warm.ts } }",
      "warm.ts": `
import { Service } from "haraka-runtime";
export default class extends Service {
  readonly readiness = "manual";
  startup() { process.once("SIGUSR1", () => this.runtime.markReady()); }
}`,
    },
  });
  await runtime.started();
  const blocked = await runtime.get("/health/ready");
  assert.equal(blocked.status, 503);
  assert.match(await blocked.text(), /"service":"warm","reason":"has not been marked ready"/);
  runtime.signal("SIGUSR1");
  assert.deepEqual(await (await runtime.until("/health/ready", 200)).json(), { status: "ready" });
});

const BROKEN = [
  {
    what: "a file that is missing",
    entrypoint: "./absent.ts",
    reason: /no file at .*\/absent\.ts/,
  },
  {
    what: "an export that is missing",
    entrypoint: "./greeter.ts#Greter",
    reason: /it has no export "Greter" \(it exports "Greeter"\)/,
  },
  {
    what: "a default export that is missing",
    entrypoint: "./greeter.ts",
    reason: /it has no default export \(it exports "Greeter"\); name one as #Greeter/,
  },
  {
    what: "an export that is no service",
    entrypoint: "./plain.ts#answer",
    reason: /the export "answer" is no service: it needs startup\(\), shutdown\(\), routes\(\) or health\(\)/,
  },
  {
    what: "settings that its schema refuses",
    entrypoint: "./greeter.ts#Greeter",
    reason:
      /its settings are invalid: settings\.greeting: .*expected string.*; settings\.times: .*expected number/,
  },
  {
    what: "a syntax error",
    entrypoint: "./syntax.ts",
    reason: /its import failed: .*syntax\.ts:1:\d+ /,
  },
  {
    what: "an import that cannot be found",
    entrypoint: "./lost.ts",
    reason: /its import failed: Cannot find module '\.\/nowhere\.ts'/,
  },
  {
    what: "a top level that throws",
    entrypoint: "./thrower.ts",
    reason: /its import failed: not at home/,
  },
  {
    what: "a constructor that throws",
    entrypoint: "./picky.ts",
    reason: /not today/,
  },
] as const;

for (const { what, entrypoint, reason } of BROKEN) {
  test(`a module with ${what} is 2 in validate, and 1 in run after a rollback`, async () => {
    const files = {
      "runtime.yaml": `
services:
  db: { command: [sleep, "1000"] }
  web:
    entrypoint: "${entrypoint}"
    dependencies: [db]
    settings: { times: two }
`,
      "greeter.ts": GREETER,
      "punctuation.ts": 'export const punctuation = "!";',
      "plain.ts": "export const answer = 42;",
      "syntax.ts": "export default class { startup( }",
      "lost.ts": 'import "./nowhere.ts";\nexport default { startup() {} };',
      "thrower.ts": 'throw new Error("not at home");\nexport default { startup() {} };',
      "picky.ts": 'export default class { constructor() { throw new Error("not today"); } startup() {} }',
    };
    await using run = start({ files });
    const { code, stderr } = await run.ended;
    assert.equal(code, 1);
    const loading = `cannot load ${entrypoint} for service "web": `;
    assert.ok(stderr.startsWith(`haraka: cannot start 'web': ${loading}`), stderr);
    assert.match(stderr, reason);
    assert.deepEqual(run.whoBecame("stopped"), ["db"]);

    const validate = await haraka({ args: ["validate"], cwd: run.folder });
    assert.equal(validate.code, 2);
    assert.ok(validate.stderr.startsWith(`runtime.yaml:4:3 services.web: ${loading}`), validate.stderr);
    assert.match(validate.stderr, reason);
  });
}

test("validate waits for a module no longer than its start may take, and checks the others", async () => {
  const { code, stderr } = await haraka({
    args: ["validate"],
    files: {
      "runtime.yaml": `services:
  stuck: { entrypoint: ./stuck.ts, startTimeout: 50ms }
  fine: { entrypoint: ./fine.ts }
  lost: { entrypoint: ./lost.ts }
`,
      "stuck.ts": "await new Promise(() => {}); export default class { startup() {} }",
      "fine.ts": "await Promise.resolve(); export default class { startup() {} }",
    },
  });
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^runtime\.yaml:2:3 services\.stuck: cannot load \.\/stuck\.ts for service "stuck": it has not loaded within its startTimeout of 50ms; look for an await outside of its functions that never ends\nruntime\.yaml:4:3 services\.lost: .*no file at .*\n$/,
  );
});

for (const [how, startup, reason] of [
  ["throws", '() => { throw new Error("no luck"); }', "startup() failed: no luck"],
  ["rejects", '() => Promise.reject(new Error("no luck"))', "startup() failed: no luck"],
  ["rejects with no error", "() => Promise.reject()", "startup() failed: undefined"],
  ["hangs", "() => new Promise(() => {})", "did not start within its startTimeout of 200ms"],
] as const) {
  test(`a startup() that ${how} rolls back and ends with 1`, async () => {
    await using runtime = start({
      files: {
        "runtime.yaml": `
services:
  db: { command: [sleep, "1000"] }
  web: { entrypoint: ./web.ts, dependencies: [db], startTimeout: 200ms, stopTimeout: 100ms }
`,
        "web.ts": `export default { startup: ${startup} };`,
      },
    });
    const { code, stderr } = await runtime.ended;
    assert.deepEqual({ code, stderr }, { code: 1, stderr: `haraka: cannot start 'web': ${reason}\n` });
    assert.deepEqual(runtime.whoBecame("stopped"), ["db"]);
  });
}

test("a module that calls process.exit leaves no process behind, and is named", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  db: { command: [sleep, "1000"] }
  sh: { command: [sh, -c, "trap '' TERM; sleep 1000 & echo up $!; wait"], startup: { logPattern: "^up" } }
  web: { entrypoint: ./web.ts, dependencies: [db, sh] }
`,
      "web.ts": `import { existsSync } from "node:fs";
export default {
  startup() {
    const look = setInterval(() => { if (existsSync("leave")) process.exit(7); }, 5);
  },
};`,
    },
  });
  const { pid: db = 0 } = await runtime.record("db", "ready");
  const { pid: sh = 0 } = await runtime.record("sh", "ready");
  const { message } = await runtime.record("sh", /^up /);
  const grandchild = Number(String(message).split(" ")[1]);
  await runtime.started();
  writeFileSync(join(runtime.folder, "leave"), "");
  const { code, stderr } = await runtime.ended;
  assert.equal(code, 7);
  assert.match(
    stderr,
    /^haraka: the process ended with 7 before anything was stopped in order, by process\.exit at \S*web\.ts:4:\d+; killed 'db', 'sh'\n$/,
  );
  await Promise.all([db, sh, grandchild].map(gone));
});

test("a startup() that ends when its signal aborts is stopped without a kill", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": "services: { web: { entrypoint: ./web.ts } }",
      "web.ts": `
import { once } from "node:events";
export default {
  async startup(signal) {
    this.runtime.log.info("waiting");
    await once(signal, "abort");
  },
};`,
    },
  });
  await runtime.record("web", "waiting");
  assert.equal((await runtime.stop()).code, 143);
  assert.deepEqual(runtime.messages("web"), ["waiting", "stopped"]);
});

test("an error that nobody catches in a module stops the runtime with 70", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `services:\n  db: { command: [sleep, "1000"] }\n  web: { entrypoint: ./web.ts }`,
      "web.ts": `
export default {
  startup() { process.once("SIGUSR1", () => { throw new Error("out of the blue"); }); },
};`,
    },
  });
  await runtime.started();
  const { code, stderr } = await runtime.signal("SIGUSR1").ended;
  assert.equal(code, 70);
  assert.equal(stderr, "haraka: stopping after an uncaught error: out of the blue\n");
  assert.ok(runtime.messages("haraka").includes("nobody caught: out of the blue"));
  assert.ok(runtime.whoBecame("stopped").includes("db"));
});

test("what is thrown may defend itself against every look: it ends the runtime like any other", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `services:\n  db: { command: [sleep, "1000"] }\n  web: { entrypoint: ./web.ts }`,
      "web.ts": `
const refuse = () => { throw "no"; };
export default {
  startup() { process.once("SIGUSR1", () => { throw new Proxy({}, { get: refuse, getPrototypeOf: refuse }); }); },
};`,
    },
  });
  await runtime.started();
  const { code } = await runtime.signal("SIGUSR1").ended;
  assert.equal(code, 70);
  assert.ok(runtime.whoBecame("stopped").includes("db"));
});

test("a route that throws is a 500 that gives nothing away, and the log says why", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": "services: { web: { entrypoint: ./web.ts } }",
      "web.ts":
        'export default { routes(app) { app.get("/", () => { throw new Error("secret detail"); }); } };',
    },
  });
  await runtime.started();
  const answer = await runtime.get("/");
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /secret detail/);
  await runtime.record("web", /secret detail/);
});

test("two modules that claim one route, or one that takes a health path, do not start", async () => {
  const route = (path: string): string =>
    `export default { routes(app) { app.get("${path}", (c) => c.text("mine")); } };`;
  const files = {
    "runtime.yaml": "services: { one: { entrypoint: ./one.ts }, two: { entrypoint: ./two.ts } }",
    "one.ts": route("/same"),
    "two.ts": route("/same"),
  };
  const shared = await haraka({ files });
  assert.equal(shared.code, 1);
  assert.match(
    shared.stderr,
    /cannot mount "GET \/same" of service "(one|two)": service "(one|two)" answers it already/,
  );
  const taken = await haraka({ files: { ...files, "two.ts": route("/health/live") } });
  assert.equal(taken.code, 1);
  assert.match(
    taken.stderr,
    /cannot mount "GET \/health\/live" of service "two": "\/health" belongs to the runtime/,
  );
});

/** Resolves once no process has this id; the test's own time limit ends a wait in vain. */
async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise((resolve) => setImmediate(resolve));
}
