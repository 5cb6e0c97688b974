// The law of the house, read off the source text: who may import whom, type imports counted, and how a file looks.
// The lint rule only underlines the same breaches in an editor; where the two differ, this test is right. Each rule is proved
// by a breach of it in a tree made for the purpose.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import test from "node:test";

const root = join(import.meta.dirname, "..");

const below = ["errors", "config", "core", "ports"];
const wings = ["runtime", "plane", "discovery", "http", "drivers"];

/** What each layer may import besides itself. `mod`, `edge` and `testing` are for users; `main` is for nobody. */
const law: Record<string, readonly string[]> = {
  errors: [],
  config: ["errors"],
  core: ["errors", "config"],
  ports: ["errors", "config", "core"],
  ...Object.fromEntries(wings.map((wing) => [wing, below])),
  compose: [...below, ...wings],
  cli: [...below, ...wings, "compose"],
  mod: [...below, ...wings, "compose"],
  edge: [...below, ...wings, "compose"],
  testing: [...below, ...wings, "compose"],
  main: ["errors", "cli", "compose", "mod"],
};

const builtinsAllowed = /^src\/((drivers|cli|compose)\/|main\.ts$|http\/server-[^/]+$)/;

interface Import {
  specifier: string;
  typeOnly: boolean;
  /** Read only when it is needed. */
  isLater: boolean;
}

/** Every static import, re-export, literal `import()` and `require`, and built-in asked of the process; type imports included. */
function importsOf(text: string): Import[] {
  const statements = text.matchAll(
    /^(?:import|export)\b(\s+type\b)?(?:[^;"'`()]*?\bfrom\b)?\s*["']([^"']+)["']/gm,
  );
  const calls = text.matchAll(/\b(?:import|require|getBuiltinModule)(?:\?\.)?\(\s*["']([^"']+)["']\s*[,)]/g);
  return [
    ...[...statements].map(([, type, specifier = ""]) => {
      return { specifier, typeOnly: type !== undefined, isLater: false };
    }),
    ...[...calls].map(([, specifier = ""]) => ({ specifier, typeOnly: false, isLater: true })),
  ];
}

/** `src/core/plan.ts` → `core`, `src/errors.ts` → `errors`. */
function layerOf(file: string): string {
  return file.split("/")[1]?.replace(/\.ts$/, "") ?? "";
}

/** A folder is one driver: `src/drivers/redis/link.ts` → `redis`, `src/drivers/clock.ts` → `clock.ts`. */
function driverOf(file: string): string {
  return file.split("/")[2] ?? "";
}

function importBreaches(file: string, { specifier, typeOnly }: Import): string[] {
  const layer = layerOf(file);
  const breach = (reason: string) => [`${file}: cannot import "${specifier}": ${reason}`];
  if (!specifier.startsWith(".")) {
    if (layer === "core") return breach("core imports no package and no built-in");
    if (/^(node|bun)(:|$)/.test(specifier) && !builtinsAllowed.test(file))
      return breach("built-ins belong in drivers");
    return [];
  }
  const target = posix.join(posix.dirname(file), specifier);
  const targetLayer = layerOf(target);
  if (!target.startsWith("src/")) return breach("it lies outside src");
  if (layer === "drivers" && targetLayer === layer)
    return driverOf(file) === driverOf(target) ? [] : breach("drivers never import each other");
  if (targetLayer === layer) return [];
  if (!law[layer]?.includes(targetLayer))
    return breach(`${layer} may import ${law[layer]?.join(", ") || "nothing"}`);
  if (layer === "core" && targetLayer === "config" && !typeOnly)
    return breach("core takes only types from config");
  return [];
}

/** Paths through the import graph that come back to where they began. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file))
      found.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
    if (done.has(file) || path.includes(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

/** What every start reads, whatever it is asked to do, belongs to the command line: the wings are for the verb that needs them. */
function earlyBreaches(imports: ReadonlyMap<string, readonly Import[]>): string[] {
  const known = new Set(["src/main.ts"]);
  // A set goes on with what is added meanwhile.
  for (const file of known) {
    for (const { specifier, typeOnly, isLater } of imports.get(file) ?? []) {
      if (!typeOnly && !isLater && specifier.startsWith("."))
        known.add(posix.join(posix.dirname(file), specifier));
    }
  }
  return [...known]
    .filter((file) => wings.includes(layerOf(file)))
    .map((file) => `${file}: every start reads it; import it where the verb runs`);
}

function lookBreaches(file: string, text: string): string[] {
  const breaches: string[] = [];
  const lines = text.replace(/\n$/, "").split("\n").length;
  if (lines > 400) breaches.push(`${file}: ${lines} lines, 400 at most`);
  if (!file.endsWith(".test.ts") && !/^(#!.*\n)?\/[/*]/.test(text))
    breaches.push(`${file}: opens without saying what it is`);
  const marker =
    /\bTO(?:DO)\b|\bFIX(?:ME)\b|@ts-(?:ignore|nocheck)|\b(?:test|it|describe|suite)\.(?:skip|only|todo)\b/.exec(
      text,
    );
  if (marker) breaches.push(`${file}: "${marker[0]}" is left in it`);
  const impure =
    /\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bMath\.random\b|\bset(?:Timeout|Interval)\b|\bcrypto\b/.exec(
      text,
    );
  if (impure && layerOf(file) === "core")
    breaches.push(`${file}: core has no clock and no randomness: "${impure[0]}"`);
  return breaches;
}

/** Everything in the tree under `base` that breaks the law, one line each. */
function breachesIn(base: string): string[] {
  const files = ["src", "test", "bench", "build", "docs"].flatMap((top) => {
    const entries = readdirSync(join(base, top), { recursive: true, encoding: "utf8" });
    return entries
      .filter((name) => name.endsWith(".ts"))
      .toSorted()
      .map((name) => `${top}/${name}`);
  });
  const texts = new Map(files.map((file) => [file, readFileSync(join(base, file), "utf8")]));
  const sources = files.filter((file) => file.startsWith("src/"));
  const imports = new Map(sources.map((file) => [file, importsOf(texts.get(file) ?? "")]));
  const graph = new Map(
    [...imports].map(([file, found]) => {
      const relative = found.filter(({ specifier }) => specifier.startsWith("."));
      return [file, relative.map(({ specifier }) => posix.join(posix.dirname(file), specifier))];
    }),
  );
  return [
    ...[...texts].flatMap(([file, text]) => lookBreaches(file, text)),
    ...[...imports].flatMap(([file, found]) => found.flatMap((one) => importBreaches(file, one))),
    ...earlyBreaches(imports),
    ...cycles(graph),
  ];
}

/** A tree with these files, removed when the test ends. */
function tree(files: Record<string, string>): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "haraka-tidy-"));
  for (const top of ["src", "test", "bench", "build", "docs"]) mkdirSync(join(path, top));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("the source keeps the law", () => {
  assert.deepEqual(breachesIn(root), []);
});

const seeded: [file: string, text: string, expected: RegExp][] = [
  ["src/errors.ts", 'import { a } from "./config/a.ts";', /errors may import nothing/],
  ["src/config/a.ts", 'import type { A } from "../core/a.ts";', /config may import errors/],
  ["src/config/a.ts", 'import { readFileSync } from "node:fs";', /built-ins belong in drivers/],
  ["src/core/a.ts", 'import type { A } from "../ports/a.ts";', /core may import errors, config/],
  [
    "src/core/a.ts",
    'import {\n  a,\n  type B,\n} from "../config/a.ts";',
    /core takes only types from config/,
  ],
  ["src/core/a.ts", 'import type { ZodType } from "zod";', /core imports no package/],
  ["src/core/a.ts", "export const now = () => Date.now();", /no clock and no randomness: "Date.now"/],
  ["src/ports/a.ts", 'export type { A } from "../runtime/a.ts";', /ports may import errors, config, core/],
  ["src/runtime/a.ts", 'import type { A } from "../http/a.ts";', /runtime may import/],
  ["src/http/app.ts", 'import type { Server } from "node:http";', /built-ins belong in drivers/],
  ["src/http/app.ts", 'const a = await import("../drivers/a.ts");', /http may import/],
  ["src/http/app.ts", 'const a = require("../drivers/a.ts");', /http may import/],
  ["src/http/app.ts", 'const os = process.getBuiltinModule("node:os");', /built-ins belong in drivers/],
  ["src/plane/a.ts", 'const os = process.getBuiltinModule?.("node:os");', /built-ins belong in drivers/],
  ["src/drivers/a.ts", 'import { b } from "./b.ts";', /drivers never import each other/],
  ["src/drivers/a.ts", 'import { c } from "./b/c.ts";', /drivers never import each other/],
  ["src/drivers/a/c.ts", 'import { b } from "../b.ts";', /drivers never import each other/],
  ["src/drivers/a/c.ts", 'import { d } from "../b/d.ts";', /drivers never import each other/],
  ["src/drivers/a/c.ts", 'import type { D } from "../../plane/d.ts";', /drivers may import/],
  ["src/compose/a.ts", 'import { run } from "../cli/run.ts";', /compose may import/],
  ["src/cli/a.ts", 'import { Service } from "../mod.ts";', /cli may import/],
  ["src/cli/a.ts", 'import manifest from "../../package.json" with { type: "json" };', /it lies outside src/],
  ["src/core/long.ts", "export {};\n".repeat(399) + "export {};", /401 lines, 400 at most/],
  ["test/a.test.ts", "test.on" + 'ly("a", () => {});', /is left in it/],
  ["bench/a.ts", "// FIX" + "ME later", /is left in it/],
];

for (const [file, text, expected] of seeded) {
  test(`tidy reports ${JSON.stringify(text.slice(0, 60))} in ${file}`, () => {
    using seededTree = tree({ [file]: `// A breach.\n${text}\n` });
    const breaches = breachesIn(seededTree.path);
    assert.equal(breaches.length, 1, breaches.join("\n"));
    assert.match(breaches[0] ?? "", expected);
  });
}

test("tidy reports a file that opens without a comment", () => {
  using seededTree = tree({ "src/core/a.ts": "export {};\n" });
  assert.match(breachesIn(seededTree.path).join("\n"), /opens without saying what it is/);
});

test("tidy reports what every start reads and only some verbs need", () => {
  const verb = (line: string) => ({
    "src/main.ts": '// A start.\nimport { run } from "./cli/run.ts";\n',
    "src/cli/run.ts": `// A verb.\n${line}\n`,
    "src/http/app.ts": "// An app.\nexport {};\n",
  });
  using seededTree = tree(verb('import { app } from "../http/app.ts";'));
  assert.deepEqual(breachesIn(seededTree.path), [
    "src/http/app.ts: every start reads it; import it where the verb runs",
  ]);
  for (const line of ['import type { App } from "../http/app.ts";', 'await import("../http/app.ts");']) {
    using fineTree = tree(verb(line));
    assert.deepEqual(breachesIn(fineTree.path), []);
  }
});

test("tidy reports a cycle of type imports", () => {
  using seededTree = tree({
    "src/core/a.ts": '// A breach.\nimport type { B } from "./b.ts";\n',
    "src/core/b.ts": '// A breach.\nimport type { C } from "./c.ts";\n',
    "src/core/c.ts": '// A breach.\nexport type { A } from "./a.ts";\n',
  });
  assert.deepEqual(breachesIn(seededTree.path), [
    "import cycle: src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts",
  ]);
});

test("tidy allows what the law allows", () => {
  using seededTree = tree({
    "src/main.ts": '#!/usr/bin/env node\n// Fine.\nimport { main } from "./cli/main.ts";\n',
    "src/cli/main.ts": '// Fine.\nimport "node:fs";\nawait import("../compose/a.ts");\n',
    "src/compose/a.ts":
      '// Fine.\nimport { a } from "../http/server-node.ts";\nimport { b } from "../runtime/b.ts";\n',
    "src/http/server-node.ts": '// Fine.\nimport "node:http";\nimport { app } from "./app.ts";\n',
    "src/http/app.ts": '// Fine.\nimport { Hono } from "hono";\n',
    "src/drivers/a/b.ts": '// Fine.\nimport { c } from "./c.ts";\n',
    "src/drivers/a/c.ts": "// Fine.\n",
    "src/runtime/b.ts": '// Fine.\nimport { c } from "../core/c.ts";\n',
    "src/core/c.ts":
      '// Fine.\nimport type { Config } from "../config/config.ts";\nimport { d } from "./d.ts";\n',
    "src/core/d.ts": "// Fine.\n",
    "src/config/config.ts":
      '// Fine.\nimport { z } from "zod";\nimport { ConfigError } from "../errors.ts";\n',
    "src/errors.ts": "// Fine.\n",
  });
  assert.deepEqual(breachesIn(seededTree.path), []);
});

test("oxlint underlines breaches of the import law and floating promises", () => {
  using seededTree = tree({
    "src/core/a.ts": 'import type { Clock } from "../ports/clock.ts";\nexport type A = Clock;\n',
    "src/ports/clock.ts": "export interface Clock {\n  now(): number;\n}\n",
    "src/http/app.ts": 'export { version } from "node:process";\n',
    "src/drivers/a.ts": 'export { b } from "./b.ts";\n',
    "src/drivers/b.ts": "export async function b(): Promise<void> {}\nb();\n",
    "src/drivers/c/d.ts": 'export { e } from "./e.ts";\n',
    "src/drivers/c/e.ts": 'export { b as e } from "../b.ts";\n',
  });
  for (const name of [".oxlintrc.json", "tsconfig.json"])
    cpSync(join(root, name), join(seededTree.path, name));
  symlinkSync(join(root, "node_modules"), join(seededTree.path, "node_modules"));
  const oxlint = join(root, "node_modules/.bin/oxlint");
  const { status, stdout } = spawnSync(oxlint, ["--format=unix"], { cwd: seededTree.path, encoding: "utf8" });
  const reports = stdout.split("\n").filter((line) => line.startsWith("src/"));
  const found = reports.map((line) => line.replace(/^([^:]+):.*\((\S+)\)\]$/, "$1 $2")).toSorted();
  assert.equal(status, 1);
  assert.deepEqual(found, [
    "src/core/a.ts no-restricted-imports",
    "src/drivers/a.ts no-restricted-imports",
    "src/drivers/b.ts no-floating-promises",
    "src/drivers/c/e.ts no-restricted-imports",
    "src/http/app.ts no-restricted-imports",
  ]);
});
