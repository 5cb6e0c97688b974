import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, problemsOf, serviceOf } from "./reading.ts";

test("of several files the later wins per key: maps merge, lists and scalars replace", () => {
  const files = {
    "base.yaml": `
http: { host: "::", port: 1 }
services:
  a: { command: [a, b], environment: { A: 1, B: 2 }, dependencies: [c], priority: 5 }
  c: { command: [c] }
`,
    "over.yaml": `
http: { port: 2 }
services:
  b: { command: [b] }
  a: { command: [x], environment: { B: 3 }, dependencies: { b: started } }
`,
  };
  const { files: read, http, services } = configOf({ files, named: ["base.yaml", "over.yaml"] });
  assert.deepEqual(read, ["/app/base.yaml", "/app/over.yaml"]);
  assert.deepEqual(http, { host: "::", port: 2, idleTimeoutMs: 120_000 });
  assert.deepEqual(
    services.map(({ name }) => name),
    ["a", "c", "b"],
  );
  const [a] = services;
  assert.ok(a?.run.type === "process");
  assert.deepEqual(a.run.argv, ["x"]);
  assert.deepEqual(a.run.environment, { A: "1", B: "3" });
  assert.deepEqual(a.dependencies, [{ service: "b", condition: "started", required: true, restart: false }]);
  assert.equal(a.priority, 5);
});

test("a later file can switch http off and on, and say nothing", () => {
  const http = (...layers: string[]) => {
    const files = Object.fromEntries(layers.map((layer, index) => [`${index}.yaml`, layer]));
    const config = configOf({
      files: { ...files, "z.yaml": "services: { a: { command: a } }" },
      named: [...Object.keys(files), "z.yaml"],
    });
    return config.http && config.http.port;
  };
  assert.equal(http("http: { port: 1 }", "http: false"), false);
  assert.equal(http("http: false", "http: { port: 1 }"), 1);
  assert.equal(http("http: { port: 1 }", "{}"), 1);
});

test("each problem is said of the file that has the last word, file by file", () => {
  const files = {
    "base.yaml": "services:\n  a: { command: [a], priority: bad, critical: maybe }\n",
    "over.yaml":
      "services:\n  a: { critical: perhaps, prioritee: 1 }\n  b: { command: [b], dependencies: [c] }\n",
  };
  assert.deepEqual(problemsOf({ files, named: ["base.yaml", "over.yaml"] }), [
    'base.yaml:2:32 services.a.priority: expected a number, got "bad"',
    'over.yaml:2:18 services.a.critical: expected true or false, got "perhaps"',
    'over.yaml:2:27 services.a.prioritee: unknown key "prioritee"; did you mean "priority"?',
    "over.yaml:3:37 services.b.dependencies[0]: Unknown dependency 'c' for service 'b'",
  ]);
});

test("paths are relative to the file they stand in, also when another file adds to the service", () => {
  const files = {
    "base.yaml": "services: { a: { command: [a], cwd: work } }",
    "sub/over.yaml": "services: { a: { envFile: a.env }, m: { entrypoint: ../m.ts } }",
    "sub/a.env": "A=1",
  };
  const { services } = configOf({ files, named: ["base.yaml", "sub/over.yaml"] });
  const [a, m] = services;
  assert.ok(a?.run.type === "process" && m?.run.type === "module");
  assert.deepEqual([a.run.cwd, a.run.environment], ["/app/work", { A: "1" }]);
  assert.equal(m.run.file, "/app/m.ts");
});

test("every file that cannot be read is said", () => {
  const files = {
    "none.yaml": "",
    "binary.yaml": new Uint8Array([0x61, 0]),
    "latin1.yaml": new Uint8Array([0x61, 0x3a, 0x20, 0xe9]),
    "large.yaml": `# ${"x".repeat(1024 * 1024)}\n`,
    "broken.yaml": "a: [",
  };
  const problems = problemsOf({ files, named: ["absent.yaml", ...Object.keys(files), "/etc/absent.yaml"] });
  const latin1 = problems.find((line) => line.startsWith("latin1.yaml"));
  assert.match(latin1 ?? "", /^latin1\.yaml:1:1 cannot read "latin1\.yaml": it is not valid UTF-8/);
  assert.deepEqual(problems, [
    'absent.yaml:1:1 cannot read "absent.yaml": no such file',
    "none.yaml:1:1 the file is empty",
    'binary.yaml:1:1 cannot read "binary.yaml": it is a binary file (it has NUL bytes)',
    latin1,
    'large.yaml:1:1 cannot read "large.yaml": it is larger than 1 MiB',
    "broken.yaml:1:5 invalid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    '/etc/absent.yaml:1:1 cannot read "/etc/absent.yaml": no such file',
  ]);
});

test("a file of exactly 1 MiB is read", () => {
  const config = "services: { a: { command: [x] } }\n";
  const padding = `#${" ".repeat(1024 * 1024 - config.length - 2)}\n`;
  assert.equal(serviceOf(config + padding).name, "a");
});

test("a byte order mark is not part of the config, and does not move positions", () => {
  assert.equal(serviceOf("\ufeffservices: { a: { command: [x] } }").position.column, 13);
  assert.deepEqual(problemsOf("\ufeffservices: { a: { command: [x], kin: task } }"), [
    'runtime.yaml:1:32 services.a.kin: unknown key "kin"; did you mean "kind"?',
  ]);
});

test("carriage returns do not move positions", () => {
  assert.deepEqual(problemsOf("services:\r\n  a:\r\n    command: [x]\r\n    kin: task\r\n"), [
    'runtime.yaml:4:5 services.a.kin: unknown key "kin"; did you mean "kind"?',
  ]);
});

test("include takes manifests: named by folder or by `name`, relative to themselves, after the config's own", () => {
  const files = {
    "conf/runtime.yaml": `
include: ["services/*/service.yaml", "\${EXTRA}", ./services/one/service.yaml]
services: { own: { command: [own] } }
`,
    "conf/services/two/service.yaml": "entrypoint: ./two.ts#Two\ndependencies: [own]",
    "conf/services/one/service.yaml": "command: [one]\ncwd: .\nkind: task",
    "extra.yaml": "name: third\ncommand: [third]",
  };
  const { files: read, services } = configOf({ files, env: { EXTRA: "../extra.yaml" } });
  assert.deepEqual(
    services.map(({ name }) => name),
    ["own", "one", "two", "third"],
  );
  assert.deepEqual(read.slice(1), [
    "/app/conf/services/one/service.yaml",
    "/app/conf/services/two/service.yaml",
    "/app/extra.yaml",
  ]);
  const [, one, two] = services;
  assert.ok(one?.task && one.run.type === "process" && two?.run.type === "module");
  assert.equal(one.run.cwd, "/app/conf/services/one");
  assert.equal(two.run.file, "/app/conf/services/two/two.ts");
  assert.deepEqual(one.position, { file: "conf/services/one/service.yaml", line: 1, column: 1 });
});

test("an include that is no list is the only problem: what it would have brought is not known", () => {
  for (const include of ["svc/one/service.yaml", "[1]"]) {
    const problems = problemsOf({
      files: { "runtime.yaml": `include: ${include}\n`, "svc/one/service.yaml": "command: one\n" },
    });
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", /^runtime\.yaml:1:\d+ include\S*: expected /);
  }
});

test("a later config changes a service that an earlier one includes", () => {
  const files = {
    "base.yaml": "include: [a/service.yaml]",
    "a/service.yaml": "command: [a]\npriority: 1",
    "over.yaml": "services: { a: { priority: 2 } }",
  };
  const { priority, run } = serviceOf({ files, named: ["base.yaml", "over.yaml"] });
  assert.ok(run.type === "process");
  assert.deepEqual([run.argv, priority], [["a"], 2]);
});

test("a pattern may match nothing, a plain path must exist", () => {
  const files = {
    "runtime.yaml": 'include: ["none/*.yaml", none.yaml, "${NONE}"]\nservices: { a: { command: a } }',
  };
  assert.deepEqual(problemsOf({ files }), [
    'runtime.yaml:1:26 cannot read "none.yaml": no such file',
    'runtime.yaml:1:37 cannot resolve "${NONE}": the variable is not set; set it, or write ${NONE:-default}',
  ]);
});

test("what is wrong in a manifest is said with its place", () => {
  const files = {
    "runtime.yaml": 'include: ["*/service.yaml"]\nservices:\n  a: { command: a }\n',
    "b/service.yaml": "command: [x]\npriorty: 1\ndependencies: [aa]\n",
    "c/service.yaml": "services: { c: { command: x } }\n",
  };
  assert.deepEqual(problemsOf({ files }), [
    'b/service.yaml:2:1 services.b.priorty: unknown key "priorty"; did you mean "priority"?',
    "b/service.yaml:3:16 services.b.dependencies[0]: Unknown dependency 'aa' for service 'b'; did you mean \"a\"?",
    'c/service.yaml:1:1 services.c.services: unknown key "services": an included file is the manifest of one service; give whole configs with several -c',
  ]);
  assert.deepEqual(problemsOf({ files: { ...files, "d/service.yaml": "a: b: c\n" } }), [
    "d/service.yaml:1:4 invalid YAML: Nested mappings are not allowed in compact mappings",
  ]);
});

test("a service has one place: no manifest has a name that the config or another manifest has", () => {
  const files = {
    "runtime.yaml": 'include: ["*/service.yaml"]\nservices:\n  a: { command: a }\n',
    "a/service.yaml": "command: x\n",
    "b/service.yaml": "command: x\nname: c\n",
    "c/service.yaml": "command: x\n",
    "d/service.yaml": "command: x\nname: 5\n",
    "e/service.yaml": "name: ''\n",
  };
  assert.deepEqual(problemsOf({ files }), [
    'a/service.yaml:1:1 cannot add service "a": runtime.yaml:3:3 has one of that name; set `name`',
    'c/service.yaml:1:1 cannot add service "c": b/service.yaml:2:7 has one of that name; set `name`',
    "d/service.yaml:2:7 name: expected the name of the service, as text",
    "e/service.yaml:1:7 name: expected the name of the service, as text",
  ]);
});
