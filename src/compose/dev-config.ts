// The config as a developer's run reads it: with the `.env` files around it, on this machine alone, without waiting. It remembers
// which files that took, so that they can be watched, and goes on with what it had while they are wrong.
import { resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { type FileAccess, folderOf } from "../config/files.ts";
import { configFiles } from "../drivers/config-files.ts";
import { ABSENT, contentOf } from "../drivers/file-content.ts";
import { type FileGlob, fileGlob } from "../drivers/file-glob.ts";
import { configPaths, type ConfigRequest, type ReadConfig, readConfig } from "./read-config.ts";

export interface DevReading extends Pick<ReadConfig, "config" | "env"> {
  /** The files that are other than the time before; none when nothing was read anew. */
  changed: readonly string[];
  /** Parts of the config that have changed and count only from the next start on. */
  postponed: readonly string[];
}

export interface DevConfig {
  /**
   * Throws what `readConfig` throws. `lenient`: while the files are as they were when that happened, the last good config is
   * given instead.
   */
  read(options: { lenient: boolean }): DevReading;
  /** What the last reading looked at, what it missed included. */
  files(): ReadonlyMap<string, string>;
  globs(): readonly FileGlob[];
}

/** What is read once, at the start. */
const FIXED = ["runtime", "http", "control"] as const satisfies (keyof Config)[];

export function devConfig(request: ConfigRequest): DevConfig {
  let files = new Map<string, string>();
  let lists = new Map<string, readonly string[]>();
  let first: Config | undefined;
  let good: Omit<DevReading, "changed" | "postponed"> | undefined;
  let told = "";

  const isAsItWas = () =>
    [...files].every(([file, content]) => contentOf(file) === content) &&
    [...lists].every(([pattern, list]) => String(configFiles.glob(pattern)) === String(list));

  function readAnew(): DevReading {
    const before = files;
    const isFirst = files.size === 0;
    files = new Map();
    lists = new Map();
    const envFiles = [
      ...dotEnvFiles(request, files),
      ...request.envFiles.map((file) => resolve(request.cwd, file)),
    ];
    for (const file of envFiles) files.set(file, contentOf(file));
    const { config, env } = readConfig({ ...request, envFiles, access: remembering(files, lists) });
    const own = forDevelopment(config);
    first ??= own;
    const fixed = first;
    const postponed = FIXED.filter((key) => JSON.stringify(own[key]) !== JSON.stringify(fixed[key]));
    good = { config: { ...own, runtime: fixed.runtime, http: fixed.http, control: fixed.control }, env };
    const all = [...new Set([...before.keys(), ...files.keys()])];
    const isNews = String(postponed) !== told;
    told = String(postponed);
    return {
      ...good,
      changed: isFirst
        ? []
        : all.filter((file) => (before.get(file) ?? ABSENT) !== (files.get(file) ?? ABSENT)),
      postponed: isNews ? postponed : [],
    };
  }

  return {
    read({ lenient }) {
      if (lenient && good && isAsItWas()) return { ...good, changed: [], postponed: [] };
      return readAnew();
    },
    files: () => files,
    globs: () => [...lists.keys()].map(fileGlob),
  };
}

/** The `.env` of each config file's folder, then that of the working directory; those that are missing are only remembered. */
function dotEnvFiles(request: ConfigRequest, files: Map<string, string>): string[] {
  const folders = configPaths(request).map((file) => folderOf(resolve(request.cwd, file)));
  const places = [...new Set([...folders.filter((folder) => folder !== request.cwd), request.cwd])];
  return places
    .map((folder) => resolve(folder, ".env"))
    .filter((file) => {
      const content = contentOf(file);
      files.set(file, content);
      return content !== ABSENT;
    });
}

/** File access that writes down what is read. */
function remembering(files: Map<string, string>, lists: Map<string, readonly string[]>): FileAccess {
  return {
    ...configFiles,
    readFile(path, limitBytes) {
      files.set(path, contentOf(path));
      return configFiles.readFile(path, limitBytes);
    },
    glob(pattern) {
      const list = configFiles.glob(pattern);
      lists.set(pattern, list);
      return list;
    },
  };
}

function forDevelopment(config: Config): Config {
  const { exitCodeFrom: _, ...runtime } = config.runtime;
  return {
    ...config,
    runtime: {
      ...runtime,
      // Somebody is about to repair what does not come up.
      startup: { ...runtime.startup, timeoutMs: Infinity },
      shutdown: { ...runtime.shutdown, drainMs: 0 },
      log: { ...runtime.log, format: "pretty" },
    },
    http: config.http && { ...config.http, host: "127.0.0.1" },
  };
}
