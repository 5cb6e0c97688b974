// From config files to a `Config`, or to every problem in them at once. The stages in order: read and lay over each other, resolve
// `${…}`, check the shape, turn into what the runtime uses. It touches no file itself: access is handed in.
import { ConfigError, type Diagnostic } from "../errors.ts";
import type { Config } from "./config.ts";
import { folderOf, readText, resolvePath, type FileAccess } from "./files.ts";
import { folderAt, literalAt, locate, mergeLayers, type Layer, type Place } from "./layers.ts";
import { formatPath, isMap, lookup, type Path, type RawMap } from "./path.ts";
import { BUILT_IN, type RawDocument } from "./schema.ts";
import { redact } from "./secrets.ts";
import { resolveService, type ServiceScope } from "./services.ts";
import { didYouMean } from "./did-you-mean.ts";
import type { Problem } from "./diagnose.ts";
import { shape } from "./shape.ts";
import { readLayers } from "./sources.ts";
import { createValues, type Values } from "./values.ts";

/** What a config is made from. `drivers/config-files.ts` has the file access. */
export interface ConfigSource extends FileAccess {
  /** Later ones win per key. Absolute, or relative to `cwd`. */
  files: readonly string[];
  /** Values for `${NAME}`; what the runtime provides, as `HARAKA_SELF`, is to be among them. */
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  cwd: string;
}

/** Reads a config. Throws `ConfigError` with all problems, in the order of the files. */
export function loadConfig(source: ConfigSource): Config {
  return load(source).config;
}

/** As `loadConfig`, and the values that must not be shown. */
export function load(source: ConfigSource): { config: Config; secrets: ReadonlySet<string> } {
  const diagnostics: Diagnostic[] = [];
  const values = createValues({ access: source, env: source.env, hint: (name) => hintFor(name, source) });
  const add = ({ file, line, column }: Place, path: Path, message: string) =>
    diagnostics.push({
      file,
      line,
      column,
      path: formatPath(path),
      message: redact(message, values.secrets),
    });

  const layers = readLayers({
    ...source,
    access: source,
    values,
    report: (place, message) => add(place, [], message),
  });
  throwIfAny(
    diagnostics,
    diagnostics.map(({ file }) => file),
  );
  const config = assemble(layers, {
    source,
    values,
    report: (path, message, part) => add(locate(layers, path, part), path, message),
  });
  throwIfAny(
    diagnostics,
    layers.map(({ shown }) => shown),
  );
  return { config: config as Config, secrets: values.secrets };
}

interface Assembly {
  source: ConfigSource;
  values: Values;
  report(path: Path, message: string, part?: "key" | "value"): void;
}

/** The config, or `undefined` when its shape is wrong. What is well-formed is then still looked at for problems of its own. */
function assemble(layers: readonly Layer[], { source, values, report }: Assembly): Config | undefined {
  const merged = mergeLayers(BUILT_IN, layers);
  const root = values.tree(merged, {
    folder: (path) => folderAt(layers, path),
    literal: (path) => literalAt(layers, path),
    report,
  }) as RawMap;
  if (isMap(root["services"]) && Object.keys(root["services"]).length === 0) {
    report(
      ["services"],
      "there is none: add one, as `services: { hello: { command: [echo, hello] } }`",
      "key",
    );
  }
  const first = shape(root);
  const unresolved = values.failed.map((path): Problem => ({ path, part: "value", message: "" }));
  const problems = "problems" in first ? first.problems : [];
  for (const { path, part, message } of problems) {
    if (!values.failed.some((other) => formatPath(other) === formatPath(path))) {
      const origin = { written: lookup(merged, path), value: lookup(root, path), secrets: values.secrets };
      report(path, withOrigin(message, origin), part);
    }
  }
  const wrong = [...unresolved, ...problems];
  const second = wrong.length > 0 ? shape(without(root, wrong)) : first;
  if (!("document" in second)) return undefined;
  return toConfig(second.document, { layers, source, report, root, wrong });
}

interface Origin {
  written: unknown;
  value: unknown;
  secrets: ReadonlySet<string>;
}

/** Says where a value came from that is not what stands in the file. What shows a part of a secret is cut off. */
function withOrigin(message: string, { written, value, secrets }: Origin): string {
  if (typeof written !== "string" || typeof value !== "string" || written === value) return message;
  const hidden = redact(value, secrets);
  const shown = hidden === value ? message : `${message.split(", got ")[0]}, got "${hidden}"`;
  return `${shown} (from ${written})`;
}

/** The document without what is wrong in it, down to the keys of a service. */
function without(root: RawMap, problems: readonly Problem[]): unknown {
  const copy = structuredClone(root);
  for (const { path } of problems) {
    const list = path.findIndex((step) => typeof step === "number");
    const depth = path[2] === "dependencies" ? 4 : 3;
    const cut = path.slice(0, Math.min(depth, list === -1 ? depth : list));
    const holder = lookup(copy, cut.slice(0, -1));
    const last = cut.at(-1);
    if (isMap(holder) && last !== undefined) delete holder[last];
  }
  return { ...copy, http: problems.some(({ path }) => path[0] === "http") ? false : copy["http"] };
}

interface Context {
  layers: readonly Layer[];
  source: ConfigSource;
  report: Assembly["report"];
  /** The document before defaults, with everything that is wrong in it. */
  root: RawMap;
  wrong: readonly Problem[];
}

function toConfig({ runtime, http, services }: RawDocument, context: Context): Config {
  const scope = scopeOf(context);
  const { exitCodeFrom } = runtime;
  if (exitCodeFrom !== undefined && scope.isTask(exitCodeFrom) === undefined) {
    const message = `cannot take the exit code from "${exitCodeFrom}": there is no such service`;
    context.report(["runtime", "exitCodeFrom"], message + didYouMean(exitCodeFrom, scope.names));
  }
  return {
    files: context.layers.map(({ file }) => file),
    runtime: {
      name: runtime.name,
      startup: {
        timeoutMs: runtime.startup.timeout,
        concurrency: runtime.startup.concurrency === "unlimited" ? Infinity : runtime.startup.concurrency,
        onFailure: runtime.startup.onFailure,
      },
      shutdown: { budgetMs: runtime.shutdown.budget, drainMs: runtime.shutdown.drain },
      log: runtime.log,
      ...(exitCodeFrom !== undefined && { exitCodeFrom }),
    },
    http: http && { host: http.host, port: http.port, idleTimeoutMs: http.idleTimeout },
    services: Object.entries(services).map(([name, service]) => resolveService(name, service, scope)),
  };
}

function scopeOf({ layers, source, report, root, wrong }: Context): ServiceScope {
  const names = Object.keys(lookup(root, ["services"]) as RawMap);
  return {
    access: source,
    cwd: source.cwd,
    names,
    report,
    folder: (path) => folderAt(layers, path),
    place: (path) => locate(layers, path, "key"),
    isTask: (name) =>
      names.includes(name) ? lookup(root, ["services", name, "kind"]) === "task" : undefined,
    isMisspelt: (name) =>
      wrong.some(
        ({ path, part }) =>
          path[1] === name && (part === "key" || path[2] === "command" || path[2] === "entrypoint"),
      ),
    written: (path) => lookup(root, path) !== undefined,
  };
}

/** Names the `.env` that has the variable and is not read. */
function hintFor(name: string, source: ConfigSource): string {
  const folders = [source.cwd, ...source.files.map((file) => folderOf(resolvePath(source.cwd, file)))];
  for (const folder of new Set(folders)) {
    const path = resolvePath(folder, ".env");
    const file = readText(path, source);
    if ("text" in file && source.parseEnv(file.text)[name] !== undefined) {
      const shown = folder === source.cwd ? ".env" : path;
      return `"${shown}" has it but is not read: pass --env-file ${shown}`;
    }
  }
  return "set it";
}

function throwIfAny(diagnostics: readonly Diagnostic[], order: readonly string[]): void {
  if (diagnostics.length === 0) return;
  throw new ConfigError(
    diagnostics.toSorted(
      (a, b) => order.indexOf(a.file) - order.indexOf(b.file) || a.line - b.line || a.column - b.column,
    ),
  );
}
