// Configs that cannot be used: every problem at once, each with its place, exit code 2, and nothing started.
import assert from "node:assert/strict";
import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type RunOptions, haraka, start } from "./support/runtime.ts";

const UNREADABLE: { what: string; content: string | Uint8Array; says: RegExp }[] = [
  { what: "an empty file", content: "", says: /^runtime\.yaml:1:1 the file is empty\n$/ },
  {
    what: "a file of 5 MB",
    content: `services: {}\n${"# padding\n".repeat(500_000)}`,
    says: /^runtime\.yaml:1:1 cannot read "runtime\.yaml": it is larger than 1 MiB\n$/,
  },
  {
    what: "a binary file",
    content: new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]),
    says: /^runtime\.yaml:1:1 cannot read "runtime\.yaml": it is a binary file \(it has NUL bytes\)\n$/,
  },
  {
    what: "invalid UTF-8",
    content: new Uint8Array([0x61, 0x3a, 0x20, 0xff, 0xfe]),
    says: /^runtime\.yaml:1:1 cannot read "runtime\.yaml": it is not valid UTF-8/,
  },
  {
    what: "invalid YAML",
    content: "services:\n  app: { command: [sleep\n",
    says: /^runtime\.yaml:\d+:\d+ invalid YAML: /,
  },
  {
    what: "a list",
    content: "- services\n",
    says: /^runtime\.yaml:1:1 expected a map with `services:`, got a list\n$/,
  },
];

for (const { what, content, says } of UNREADABLE) {
  test(`${what} is refused in words`, async () => {
    const { code, stdout, stderr } = await haraka({ files: { "runtime.yaml": content } });
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, says);
  });
}

test("a config that is not there, or is a directory, is named", async () => {
  const absent = await haraka({ args: ["run", "-c", "absent.yaml"] });
  assert.equal(absent.code, 2);
  assert.equal(absent.stderr, 'absent.yaml:1:1 cannot read "absent.yaml": no such file\n');
  const folder = await haraka({ args: ["run", "-c", "folder"], files: { "folder/file": "" } });
  assert.equal(folder.code, 2);
  assert.equal(folder.stderr, 'folder:1:1 cannot read "folder": it is a directory\n');
});

test(
  "a config that may not be read is said with the uid",
  { skip: process.getuid?.() !== 0 && "needs root" },
  async () => {
    await using holder = start({ args: ["version"], files: { "runtime.yaml": "services: {}" } });
    await holder.ended;
    chmodSync(holder.folder, 0o755);
    chmodSync(join(holder.folder, "runtime.yaml"), 0o600);
    const prefix = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"];
    const { code, stderr } = await haraka({ cwd: holder.folder, prefix });
    assert.equal(code, 2);
    assert.equal(stderr, 'runtime.yaml:1:1 cannot read "runtime.yaml": permission denied for uid 12345\n');
  },
);

test("all problems of a config are said at once, in order, with nothing started", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `runtime: { nam: shop }
http: { port: many }
services:
  first: { command: "touch started", cwd: . }
  app:
    comand: [serve]
    dependencies: [frist]
  web:
    command: "serve | tee log"
    depends_on: [app]
    stopTimeout: 5 minutes
  Api: { command: [serve] }
`,
    },
  });
  const { code, stdout, stderr } = await runtime.ended;
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  const lines = stderr.trim().split("\n");
  const expected = [
    /^runtime\.yaml:1:12 runtime\.nam: .*did you mean "name"/,
    /^runtime\.yaml:2:15 http\.port: expected .*got "many"/,
    /^runtime\.yaml:6:5 services\.app\.comand: .*did you mean "command"/,
    /^runtime\.yaml:7:20 services\.app\.dependencies\[0\]: Unknown dependency 'frist' for service 'app'.*did you mean "first"/,
    /^runtime\.yaml:9:14 services\.web\.command: cannot run a command with "\|" without a shell: .*\["serve", .*`shell: true`/,
    /^runtime\.yaml:10:5 services\.web\.depends_on: .*use `dependencies`/,
    /^runtime\.yaml:11:18 services\.web\.stopTimeout: expected a duration/,
    /^runtime\.yaml:12:3 services\.Api: cannot name a service "Api"/,
  ];
  assert.equal(lines.length, expected.length, stderr);
  for (const [index, pattern] of expected.entries()) assert.match(lines[index] ?? "", pattern);
  assert.ok(!existsSync(join(runtime.folder, "started")));
});

const IMPOSSIBLE: { what: string; files: NonNullable<RunOptions["files"]>; says: string }[] = [
  {
    what: "a circular dependency",
    files: {
      "runtime.yaml": `services:
  a: { command: [a], dependencies: [b] }
  b: { command: [b], dependencies: [c] }
  c: { command: [c], dependencies: [a] }
`,
    },
    says: "runtime.yaml:2:3 services.a: Circular dependency detected at a: a → b → c → a\n",
  },
  {
    what: "an unknown dependency",
    files: { "runtime.yaml": "services: { bar: { command: [bar], dependencies: [foo] } }" },
    says: "runtime.yaml:1:51 services.bar.dependencies[0]: Unknown dependency 'foo' for service 'bar'\n",
  },
  {
    what: "a name that stands twice",
    files: { "runtime.yaml": "services:\n  a: { command: [a] }\n  a: { command: [b] }\n" },
    says: "runtime.yaml:3:3 this key stands here a second time\n",
  },
  {
    what: "a name that an included manifest also has",
    files: {
      "runtime.yaml": 'include: ["*/service.yaml"]\nservices: { a: { command: [a] } }',
      "a/service.yaml": "command: [b]",
    },
    says: 'a/service.yaml:1:1 cannot add service "a": runtime.yaml:2:13 has one of that name; set `name`\n',
  },
  {
    what: "no services",
    files: { "runtime.yaml": "services: {}" },
    says: "runtime.yaml:1:1 services: there is none: add one, as `services: { hello: { command: [echo, hello] } }`\n",
  },
];

for (const { what, files, says } of IMPOSSIBLE) {
  test(`${what} is 2 in run and in validate, with its place`, async () => {
    for (const verb of ["run", "validate"]) {
      const { code, stdout, stderr } = await haraka({ args: [verb], files });
      assert.deepEqual({ code, stdout, stderr }, { code: 2, stdout: "", stderr: says });
    }
  });
}

test("validate --json lists the problems as data", async () => {
  const files = { "runtime.yaml": "services: { bar: { command: [bar], dependencies: [foo] } }" };
  const { code, stdout, stderr } = await haraka({ args: ["validate", "--json"], files });
  assert.deepEqual({ code, stderr }, { code: 2, stderr: "" });
  assert.deepEqual(JSON.parse(stdout), {
    ok: false,
    problems: [
      {
        file: "runtime.yaml",
        line: 1,
        column: 51,
        path: "services.bar.dependencies[0]",
        message: "Unknown dependency 'foo' for service 'bar'",
      },
    ],
  });
});
