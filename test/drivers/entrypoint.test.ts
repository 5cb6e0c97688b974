// Modules from disk, and what is said when they cannot be used. Those that import `haraka-runtime` are in portable.test.ts.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadEntrypoint } from "../../src/drivers/entrypoint.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-test-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function load(
  source: string,
  { exportName = "default", settings }: { exportName?: string; settings?: unknown } = {},
) {
  const file = join(folder, `module-${++files}.ts`);
  writeFileSync(file, source);
  return loadEntrypoint("api", { type: "module", file, exportName, entrypoint: "./api.ts#X", settings });
}

const fails = (loading: Promise<unknown>, reason: string | RegExp) =>
  assert.rejects(loading, ({ message }: Error) => {
    const start = 'cannot load ./api.ts#X for service "api": ';
    assert.ok(message.startsWith(start), message);
    const said = message.slice(start.length);
    if (typeof reason === "string") assert.equal(said, reason);
    else assert.match(said, reason);
    return true;
  });

test("loadEntrypoint constructs a class with its settings and gives it the config's name", async () => {
  const source = `export default class { name = "mine"; constructor(settings: unknown) { this.settings = settings; }
    settings: unknown; startup() {} }`;
  const service = await load(source, { settings: { a: 1 } });
  assert.equal(service.name, "api");
  assert.deepEqual(Reflect.get(service, "settings"), { a: 1 });
});

test("loadEntrypoint gives each incarnation an instance of its own", async () => {
  const file = join(folder, "twice.ts");
  writeFileSync(file, "export class Api { startup() {} }");
  const config = {
    type: "module",
    file,
    exportName: "Api",
    entrypoint: "./api.ts#Api",
    settings: undefined,
  } as const;
  assert.notEqual(await loadEntrypoint("api", config), await loadEntrypoint("api", config));
});

test("loadEntrypoint takes an object, and a name that is a getter", async () => {
  const source = `export const api = { get name() { return "mine"; }, routes() {} };`;
  const service = await load(source, { exportName: "api", settings: { a: 1 } });
  assert.equal(service.name, "api");
  assert.deepEqual(Reflect.get(service, "settings"), { a: 1 });
});

const schema = `export const settings = { "~standard": { version: 1, vendor: "test", validate(value) {
  return value.port > 0 ? { value: { port: value.port, checked: true } }
    : { issues: [{ message: "must be positive", path: ["port"] }, { message: "is odd", path: [{ key: "list" }, 0] }, { message: "no" }] };
} } };`;

test("loadEntrypoint hands over what the schema made of the settings", async () => {
  const source = `${schema} export const api = { startup() {} };`;
  const service = await load(source, { exportName: "api", settings: { port: 1 } });
  assert.deepEqual(Reflect.get(service, "settings"), { port: 1, checked: true });
});

test("loadEntrypoint names every problem of the settings", async () => {
  const source = `${schema} export const api = { startup() {} };`;
  const reason =
    "its settings are invalid: settings.port: must be positive; settings.list.0: is odd; settings: no";
  await fails(load(source, { exportName: "api", settings: { port: -1 } }), reason);
  await fails(load(source, { exportName: "api" }), reason);
});

test("loadEntrypoint names a missing file", async () => {
  const file = join(folder, "gone.ts");
  const config = {
    type: "module",
    file,
    exportName: "X",
    entrypoint: "./api.ts#X",
    settings: undefined,
  } as const;
  await fails(loadEntrypoint("api", config), `no file at ${file}`);
  await fails(loadEntrypoint("api", { ...config, file: folder }), `no file at ${folder}`);
});

test("loadEntrypoint says where the syntax is wrong", async () => {
  await fails(
    load("export const a = 1;\nexport class X { startup( { }\n}\n"),
    /^its import failed: .*module-\d+\.ts:[23]:\d+ /,
  );
});

test("loadEntrypoint says what the module threw", async () => {
  await fails(load(`throw new Error("no licence");`), "its import failed: no licence");
  await fails(load(`import "./not-there.ts";`), /^its import failed: .*not-there/);
});

test("loadEntrypoint lists the exports there are", async () => {
  const source = `${schema} export class Api { startup() {} } export const other = 1;`;
  await fails(load(source, { exportName: "Apl" }), 'it has no export "Apl" (it exports "Api", "other")');
  await fails(load(source), 'it has no default export (it exports "Api", "other"); name one as #Api');
  await fails(load("export {};"), "it has no default export (it exports nothing)");
});

test("loadEntrypoint refuses what is no service", async () => {
  const reason = 'the export "x" is no service: it needs startup(), shutdown(), routes() or health()';
  for (const value of ["42", "null", "{}", "{ startup: 1 }", "class {}"]) {
    await fails(load(`export const x = ${value};`, { exportName: "x" }), reason);
  }
});

test("loadEntrypoint says that a constructor threw, or that it is none", async () => {
  await fails(load(`export default class { constructor() { throw new Error("bad luck"); } }`), /bad luck/);
  await fails(load("export default () => ({ startup() {} });"), /constructor/);
});
