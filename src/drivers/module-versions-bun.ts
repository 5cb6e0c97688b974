// Other versions of modules under Bun. A file's version is a query behind its path, which Bun leaves out of `import.meta.path` and
// of stack traces; a resolve hook puts it there, for imports and `require` alike. The hook is installed once a file has a second
// version and not before, so that a start is a plain import.
import { readFileSync } from "node:fs";
import { dirname, extname, isAbsolute, resolve } from "node:path";
import type { ModuleVersions } from "../ports/module-versions.ts";

const LOADERS: Readonly<Record<string, Bun.JavaScriptLoader>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
  ".jsx": "jsx",
};

/** What an import that leaves the extension to Bun may be about. */
const EXTENSIONS = ["", ".ts", ".tsx", ".js", ".mjs", ".json", "/index.ts"];

interface Version {
  number: number;
  /** Under which the one before is kept: its instances may still run, and it may be gone back to. */
  olderKey: string;
}

export function moduleVersions(): ModuleVersions {
  /** Absent: as it was loaded first. */
  let versions: ReadonlyMap<string, Version> = new Map();
  /** By file, as it was last looked at: one that does not parse still leads where it did. */
  const imports = new Map<string, readonly string[]>();
  let last = 0;
  const keyOf = (file: string) => keyed(file, versions.get(file)?.number);

  function filesOf(file: string): string[] {
    const files = new Set([file]);
    for (const each of files) {
      const found = importsOf(each) ?? imports.get(each) ?? [];
      imports.set(each, found);
      for (const next of found) files.add(next);
    }
    return [...files];
  }

  function renew(files: readonly string[]): () => void {
    const before = versions;
    const after = new Map(before);
    if (last === 0) install(keyOf);
    last++;
    for (const file of leadingTo(files, imports)) {
      const current = before.get(file);
      if (current) delete require.cache[current.olderKey];
      after.set(file, { number: last, olderKey: keyOf(file) });
    }
    versions = after;
    return () => void (versions = before);
  }

  return {
    filesOf,
    renew,
    forgetFailure(file) {
      // What was evaluated to its end stays as it is: others may have it, too.
      renew(filesOf(file).filter((each) => !(keyOf(each) in require.cache)));
    },
  };
}

const keyed = (file: string, version: number | undefined): string =>
  version === undefined ? file : `${file}?v=${version}`;

/** These, and all that come to one of them by way of their imports. */
function leadingTo(files: readonly string[], imports: ReadonlyMap<string, readonly string[]>): Set<string> {
  const importers = new Map<string, string[]>();
  for (const [file, found] of imports) {
    for (const each of found) importers.set(each, [...(importers.get(each) ?? []), file]);
  }
  const leading = new Set(files);
  for (const each of leading) for (const importer of importers.get(each) ?? []) leading.add(importer);
  return leading;
}

/** Where a file's imports lead; nothing for one that cannot be parsed. */
function importsOf(file: string): string[] | undefined {
  const loader = LOADERS[extname(file)];
  if (loader === undefined) return [];
  try {
    const found = new Bun.Transpiler({ loader }).scanImports(readFileSync(file, "utf8"));
    return found.flatMap(({ path }) => placesOf(path, file)).filter(isOwn);
  } catch {
    return undefined;
  }
}

const isOwn = (file: string): boolean =>
  isAbsolute(file) && !file.includes("/node_modules/") && !file.startsWith("/$bunfs/");

function placesOf(specifier: string, importer: string): string[] {
  const found = resolved(specifier, importer);
  if (found !== undefined) return [found];
  if (!/^\.{0,2}\//.test(specifier)) return [];
  return EXTENSIONS.map((extension) => resolve(dirname(importer), specifier + extension));
}

/** `resolveSync` asks the hook below, which asks `resolveSync`. */
let isResolving = false;

function resolved(specifier: string, importer: string): string | undefined {
  isResolving = true;
  try {
    return Bun.resolveSync(specifier, dirname(importer));
  } catch {
    return undefined;
  } finally {
    isResolving = false;
  }
}

function install(keyOf: (file: string) => string): void {
  Bun.plugin({
    name: "module versions",
    setup(build) {
      build.onResolve({ filter: /./ }, ({ path, importer }) => {
        if (isResolving || (!isOwn(importer) && !isAbsolute(path))) return undefined;
        const file = resolved(path, importer);
        const key = file === undefined ? undefined : keyOf(file);
        return key === undefined || key === file ? undefined : { path: key };
      });
    },
  });
}
