// The npm package as its users get it: packed, installed by plain npm in an empty folder, then imported, type-checked and run
// under Node. Nothing of the checkout is in reach of it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { root } from "./support/binary.ts";

interface Manifest extends Record<string, unknown> {
  version: string;
  dependencies: Record<string, string>;
}

const bin = join(root, "node_modules/.bin");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
const folder = mkdtempSync(join(tmpdir(), "haraka-package-"));
let tarball = "";

/** Runs a tool as on a machine that has Node, the pinned one, and npm, and no Bun. */
function run(cwd: string, command: string, ...args: string[]): string {
  const others = (process.env["PATH"] ?? "").split(":").filter((entry) => !existsSync(join(entry, "bun")));
  const path = [bin, ...others].join(":");
  return execFileSync(command, args, { cwd, env: { ...process.env, PATH: path }, encoding: "utf8" });
}

after(() => rmSync(folder, { recursive: true }));

test("npm packs the package and installs it in an empty folder", { timeout: 180_000 }, () => {
  const pack = ["pack", "--json", "--silent", "--pack-destination", folder];
  const [packed] = JSON.parse(run(root, "npm", ...pack)) as [{ filename: string }];
  tarball = join(folder, packed.filename);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  run(folder, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error", tarball);
});

test("publint finds nothing to say about the package", async () => {
  const content = readFileSync(tarball);
  const { messages, pkg } = await publint({ strict: true, pack: { tarball: content.buffer as ArrayBuffer } });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg!)),
    [],
  );
});

test("package holds the built files and no sources", () => {
  const installed = join(folder, "node_modules/haraka-runtime");
  for (const name of ["README.md", "LICENSE", "CHANGELOG.md", "dist/npm/mod.d.ts"]) {
    assert.ok(existsSync(join(installed, name)), name);
  }
  for (const name of ["src", "test", "tsconfig.json"]) assert.ok(!existsSync(join(installed, name)), name);
});

test("no production dependency has an install script", () => {
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript);
  assert.deepEqual(scripted, []);
  assert.ok(Object.keys(lock.packages).length > Object.keys(manifest.dependencies).length);
});

test("Node imports every entry of the package", () => {
  const entries = ["haraka-runtime", "haraka-runtime/testing", "haraka-runtime/edge"];
  const script = `
    const modules = await Promise.all(${JSON.stringify(entries)}.map((entry) => import(entry)));
    console.log(JSON.stringify(modules.map((module) => Object.keys(module))));
  `;
  const [mod, testing, edge] = JSON.parse(
    run(folder, "node", "--input-type=module", "--eval", script),
  ) as string[][];
  for (const name of ["Orchestrator", "Service", "lifecycle", "z"]) assert.ok(mod?.includes(name), name);
  assert.ok(testing?.includes("testClock"));
  assert.ok(edge?.includes("edge"));
});

test("TypeScript checks a consumer against the package's types", () => {
  mkdirSync(join(folder, "src"));
  const consumer = `
    import { Orchestrator, Service, z } from "haraka-runtime";
    import { testClock } from "haraka-runtime/testing";
    import { edge } from "haraka-runtime/edge";

    const settings = z.object({ url: z.string() });
    class Cache extends Service<z.infer<typeof settings>> {
      name = "cache";
      override async startup(signal: AbortSignal): Promise<void> {
        if (!signal.aborted) this.runtime.log.info(this.settings.url);
      }
    }
    new Orchestrator().use(new Cache({ url: "here" }));
    // @ts-expect-error The settings are typed: a number is no url.
    new Cache({ url: 1 });
    export default edge({ name: "shop", services: [new Cache({ url: testClock.name })] });
  `;
  writeFileSync(join(folder, "src/consumer.ts"), consumer);
  const compilerOptions = { module: "nodenext", target: "esnext", strict: true, noEmit: true, types: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }));
  run(folder, "node", join(bin, "tsc"), "-p", folder);
});

test("both bins print the version of package.json", () => {
  for (const name of ["haraka-runtime", "haraka"]) {
    assert.match(
      run(folder, join(folder, "node_modules/.bin", name), "version"),
      new RegExp(manifest.version),
    );
  }
});
