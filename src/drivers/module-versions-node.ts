// Other versions of modules under Node and Deno. A file's version is a query behind its URL, put there by a resolve hook, which
// also writes down who imports whom; so it has to be installed before the first module is loaded. What was replaced stays in
// memory: neither lets go of a module.
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";
import type { ModuleVersions } from "../ports/module-versions.ts";

interface Imports {
  /** Of the importer, as it stands in its URL. */
  version: string;
  files: Set<string>;
}

export function moduleVersions(): ModuleVersions {
  /** Absent: as it was loaded first. */
  let versions: ReadonlyMap<string, number> = new Map();
  const imports = new Map<string, Imports>();
  let last = 0;

  function note(url: string, parentURL: string | undefined): void {
    const [file, importer] = [ownFile(url), ownFile(parentURL)];
    if (file === undefined || importer === undefined) return;
    const version = versionOf(parentURL);
    const known = imports.get(importer);
    if (known?.version === version) known.files.add(file);
    else imports.set(importer, { version, files: new Set([file]) });
  }

  nodeModule.registerHooks({
    resolve(specifier, context, next) {
      try {
        const found = next(specifier, context);
        note(found.url, context.parentURL);
        const version = versions.get(ownFile(found.url) ?? "");
        return version === undefined ? found : { ...found, url: `${bare(found.url)}?v=${version}` };
      } catch (error) {
        if (/^\.{0,2}\//.test(specifier)) note(new URL(specifier, context.parentURL).href, context.parentURL);
        throw error;
      }
    },
  });

  function filesOf(file: string): string[] {
    const files = new Set([file]);
    for (const each of files) for (const next of imports.get(each)?.files ?? []) files.add(next);
    return [...files];
  }

  function renew(files: readonly string[]): () => void {
    const before = versions;
    const after = new Map(before);
    last++;
    const { cache } = nodeModule.createRequire(import.meta.url);
    for (const file of leadingTo(files, imports)) {
      after.set(file, last);
      // CommonJS has a cache of its own, and goes by the file alone.
      delete cache[file];
    }
    versions = after;
    return () => void (versions = before);
  }

  return { filesOf, renew, forgetFailure: (file) => void renew(filesOf(file)) };
}

const bare = (url: string): string => url.replace(/[?#].*$/, "");
const versionOf = (url: string | undefined): string => /\?v=(\d+)$/.exec(url ?? "")?.[1] ?? "";

/** The path of a file that is not installed; nothing for anything else. */
function ownFile(url: string | undefined): string | undefined {
  if (!url?.startsWith("file:") || url.includes("/node_modules/")) return undefined;
  return fileURLToPath(bare(url));
}

/** These, and all that come to one of them by way of their imports. */
function leadingTo(files: readonly string[], imports: ReadonlyMap<string, Imports>): Set<string> {
  const leading = new Set(files);
  for (const each of leading) {
    for (const [importer, found] of imports) if (found.files.has(each)) leading.add(importer);
  }
  return leading;
}
