// Which files a service is made of, and what is in them: the modules it imports and, where asked for, what its `watch` names. A
// start pays nothing for it: what looks into files is loaded with the first question.
import type { ServiceConfig } from "../config/config.ts";
import type { ModuleVersions } from "../ports/module-versions.ts";

/** By absolute path, a text that differs where the content does. */
export type FileContents = ReadonlyMap<string, string>;

export interface ServiceFiles {
  /** What a module imports is only known once it has been loaded. */
  learnsByLoading: boolean;
  /** To be called before the first module is loaded. */
  prepare(): Promise<void>;
  /** What a service is made of now. `unsureSinceMs`: what was changed since then equals nothing. */
  read(service: ServiceConfig, options?: { unsureSinceMs?: number }): Promise<FileContents>;
  /** From now on these are loaded anew where a module is; returns a function that takes it back. */
  renew(files: readonly string[]): Promise<() => void>;
  /** After an import of `file` has failed: the next one is tried anew. */
  forgetFailure(file: string): Promise<void>;
}

/** `globs`: files that `watch` names belong to a service. */
export function serviceFiles({ globs }: { globs: boolean }): ServiceFiles {
  let opened: Promise<ModuleVersions> | undefined;
  const versions = () => (opened ??= openVersions());
  const learnsByLoading = typeof Bun === "undefined";
  return {
    learnsByLoading,
    async prepare() {
      if (learnsByLoading) await versions();
    },
    async read({ run, watch }, options) {
      const { contentOf } = await import("../drivers/file-content.ts");
      const imported = run.type === "module" ? (await versions()).filesOf(run.file) : [];
      const named = globs && watch.length > 0 ? await listed(watch) : [];
      return new Map([...imported, ...named].map((file) => [file, contentOf(file, options)]));
    },
    renew: async (files) => (await versions()).renew(files),
    forgetFailure: async (file) => (await versions()).forgetFailure(file),
  };
}

async function listed(patterns: readonly string[]): Promise<string[]> {
  const { fileGlob } = await import("../drivers/file-glob.ts");
  return patterns.flatMap((pattern) => fileGlob(pattern).list());
}

async function openVersions(): Promise<ModuleVersions> {
  if (typeof Bun === "undefined")
    return (await import("../drivers/module-versions-node.ts")).moduleVersions();
  return (await import("../drivers/module-versions-bun.ts")).moduleVersions();
}
