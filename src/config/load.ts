// From config files to a `Config`, or to every problem in them at once. The stages in order: read and lay over each other, resolve
// `${…}`, check the shape, turn into what the runtime uses. It touches no file itself: access is handed in.
import { ConfigError, type Diagnostic } from "../errors.ts";
import type { Config } from "./config.ts";
import { folderOf, readText, resolvePath, type FileAccess } from "./files.ts";
import { folderAt, literalAt, locate, mergeLayers, type Layer, type Place } from "./layers.ts";
import { resolveDiscovery, withDiscovery } from "./discovery.ts";
import { resolveIntents } from "./intents.ts";
import { formatPath, isMap, lookup, type Path, type RawMap } from "./path.ts";
import { resolvePlane, wantsPlane, withPlane } from "./plane.ts";
import { expandReplicas, groupOfReplica, type Replica, type ReplicaCounts } from "./replicas.ts";
import { BUILT_IN, type RawDocument } from "./schema.ts";
import { redact } from "./secrets.ts";
import { resolveService, type ServiceScope } from "./services.ts";
import { didYouMean } from "./did-you-mean.ts";
import type { Problem } from "./diagnose.ts";
import { shape } from "./shape.ts";
import { readLayers } from "./sources.ts";
import { resolveControl, resolveLog, stateFolderOf } from "./state-folder.ts";
import { createValues, type Values } from "./values.ts";

/** What a config is made from. `drivers/config-files.ts` has the file access. */
export interface ConfigSource extends FileAccess {
  /** Later ones win per key. Absolute, or relative to `cwd`. */
  files: readonly string[];
  /** Values for `${NAME}`; what the runtime provides, as `HARAKA_SELF`, is to be among them. */
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  cwd: string;
  /** As `process.platform` has it; decides how long the path of a socket may be. Default: `linux`. */
  platform?: string;
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

type Report = (path: Path, message: string, part?: "key" | "value") => void;

interface Assembly {
  source: ConfigSource;
  values: Values;
  report: Report;
}

/** The config, or `undefined` when its shape is wrong. What is well-formed is then still looked at for problems of its own. */
function assemble(layers: readonly Layer[], { source, values, report }: Assembly): Config | undefined {
  const merged = withDiscovery(withPlane(mergeLayers(BUILT_IN, layers)));
  const reading: Reading = { layers, source, values, merged, reportFor: oncePerReplica(report) };
  const { root, wrong, document } = readPart({ path: [], replica: 1 }, reading);
  // What an `include` that cannot be used would have brought is not known.
  const isComplete = !wrong.some(({ path }) => path[0] === "include");
  if (isComplete && isMap(root["services"]) && Object.keys(root["services"]).length === 0) {
    report(
      ["services"],
      "there is none: add one, as `services: { hello: { command: [echo, hello] } }`",
      "key",
    );
  }
  if (wrong.length === 0) return document && toConfig(document, { ...reading, root, wrong });
  const second = shape(without(root, wrong));
  return "document" in second ? toConfig(second.document, { ...reading, root, wrong }) : undefined;
}

interface Reading {
  layers: readonly Layer[];
  source: ConfigSource;
  values: Values;
  /** What the files say together, before `${…}` is resolved. */
  merged: RawMap;
  reportFor(replica: number): Report;
}

/** What is wrong with the first replica need not be said of the others. */
function oncePerReplica(report: Report): Reading["reportFor"] {
  const told = new Map<string, number>();
  return (replica) => (path, message, part) => {
    const first = told.get(formatPath(path)) ?? replica;
    told.set(formatPath(path), first);
    if (first === replica) report(path, message, part);
  };
}

interface Part {
  /** The document before defaults, with everything that is wrong in it. */
  root: RawMap;
  wrong: readonly Problem[];
  document?: RawDocument;
}

/** Resolves the texts of the whole document, or of one service for one of its replicas; reports what is wrong with its shape. */
function readPart(part: { path: Path; replica: number }, reading: Reading): Part {
  const { layers, values, merged } = reading;
  const report = reading.reportFor(part.replica);
  const failedBefore = values.failed.length;
  const place = {
    folder: (path: Path) => folderAt(layers, path),
    literal: (path: Path) => literalAt(layers, path),
    report,
  };
  const value = values.tree(lookup(merged, part.path), place, part);
  const [, service] = part.path;
  const root = (service === undefined ? value : { http: false, services: { [service]: value } }) as RawMap;
  const read = shape(root);
  const problems = "problems" in read ? read.problems : [];
  for (const { path, part: side, message } of problems) {
    if (!values.failed.some((other) => formatPath(other) === formatPath(path))) {
      const origin = { written: lookup(merged, path), value: lookup(root, path), secrets: values.secrets };
      report(path, withOrigin(message, origin), side);
    }
  }
  const unresolved = values.failed
    .slice(failedBefore)
    .map((path): Problem => ({ path, part: "value", message: "" }));
  return {
    root,
    wrong: [...unresolved, ...problems],
    ...("document" in read && { document: read.document }),
  };
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

/** What stands under these hangs together. */
const WHOLE: ReadonlySet<unknown> = new Set(["intents", "plane", "discovery"]);

/** The document without what is wrong in it, down to the keys of a service; an intent goes as a whole. */
function without(root: RawMap, problems: readonly Problem[]): unknown {
  const copy = structuredClone(root);
  for (const { path } of problems) {
    const list = path.findIndex((step) => typeof step === "number");
    const depth = WHOLE.has(path[0]) ? 2 : path[2] === "dependencies" ? 4 : 3;
    const cut = path.slice(0, Math.min(depth, list === -1 ? depth : list));
    const holder = lookup(copy, cut.slice(0, -1));
    const last = cut.at(-1);
    if (isMap(holder) && last !== undefined) delete holder[last];
  }
  return { ...copy, http: problems.some(({ path }) => path[0] === "http") ? false : copy["http"] };
}

interface Context extends Reading, Part {}

function toConfig(document: RawDocument, context: Context): Config {
  const { runtime, http, services } = document;
  const { source, root, layers } = context;
  const report = context.reportFor(1);
  const scope = scopeOf(document, context);
  checkExitCodeFrom(runtime.exitCodeFrom, scope);
  const stateFolder = stateFolderOf(source.env, source);
  const written = (path: Path) => lookup(root, path) !== undefined;
  return {
    files: layers.map(({ file }) => file),
    runtime: {
      name: runtime.name,
      startup: {
        timeoutMs: runtime.startup.timeout,
        concurrency: runtime.startup.concurrency === "unlimited" ? Infinity : runtime.startup.concurrency,
        onFailure: runtime.startup.onFailure,
      },
      shutdown: { budgetMs: runtime.shutdown.budget, drainMs: runtime.shutdown.drain },
      log: resolveLog(runtime.log, { stateFolder }),
      ...(runtime.exitCodeFrom !== undefined && { exitCodeFrom: runtime.exitCodeFrom }),
    },
    http: http && { host: http.host, port: http.port, idleTimeoutMs: http.idleTimeout },
    control: resolveControl(document.control, {
      stateFolder,
      platform: source.platform ?? "linux",
      written,
      report,
    }),
    ...(document.plane && {
      plane: resolvePlane(
        { plane: document.plane, store: document.store },
        { name: runtime.name, stateFolder, report },
      ),
    }),
    ...(document.discovery && {
      discovery: resolveDiscovery(document.discovery, {
        http: http !== false,
        store: document.store,
        report,
      }),
    }),
    intents: resolveIntents(document.intents ?? {}, { plane: wantsPlane(root), report }),
    stateFolder,
    services: replicasOf(services, context).map((replica) =>
      resolveService(replica, { ...scope, report: context.reportFor(replica.replica) }),
    ),
  };
}

function checkExitCodeFrom(name: string | undefined, { find, names, report }: ServiceScope): void {
  if (name === undefined) return;
  const service = find(name);
  const reason = !service
    ? `there is no such service${didYouMean(name, names)}`
    : service.scheduled && "it is scheduled, and the runtime does not end with it";
  if (reason) report(["runtime", "exitCodeFrom"], `cannot take the exit code from "${name}": ${reason}`);
}

/** Every service once per replica, those with `${HARAKA_REPLICA}` in them read anew for each. */
function replicasOf(services: RawDocument["services"], context: Context): Replica[] {
  return expandReplicas(services, (group, replica) => {
    if (!context.values.replicated.has(group)) return undefined;
    const { wrong, document } = readPart({ path: ["services", group], replica }, context);
    return wrong.length === 0 ? document?.services[group] : undefined;
  });
}

function scopeOf({ http, services }: RawDocument, context: Context): ServiceScope {
  const { layers, source, root, wrong } = context;
  const names = Object.keys(lookup(root, ["services"]) as RawMap);
  const isWrong = (group: string) => wrong.some(({ path }) => path[1] === group && path[2] === "replicas");
  const counts: ReplicaCounts = new Map(
    names.map((group) => [group, isWrong(group) ? undefined : (services[group]?.replicas ?? 1)]),
  );
  return {
    access: source,
    http: http !== false,
    cwd: source.cwd,
    names,
    report: context.reportFor(1),
    folder: (path) => folderAt(layers, path),
    place: (path, part = "key") => locate(layers, path, part),
    find(name) {
      const group = names.includes(name) ? name : groupOfReplica(name, counts);
      if (group === undefined) return undefined;
      const of = (key: string) => lookup(root, ["services", group, key]);
      return { task: of("kind") === "task", scheduled: of("schedule") !== undefined };
    },
    replicated(name) {
      const group = groupOfReplica(name, counts);
      return group !== undefined && counts.get(group) !== undefined ? group : undefined;
    },
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
