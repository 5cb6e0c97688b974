// What `haraka emit` does: reads the config, works out what the files need to know, and prints or writes them. How each file looks is
// said where it is made; nothing is written over that somebody else has written.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { configPaths, namespaceOf, readConfig, specOf } from "../compose/read-config.ts";
import type { Config } from "../config/config.ts";
import { timingsOf } from "../core/deployment.ts";
import { createPlan } from "../core/plan.ts";
import { type Deployment, type Emitted, MARK } from "../discovery/emit/deployment.ts";
import { emitProblems, type EmitTarget } from "../discovery/emit/problems.ts";
import { ExitCode, messageOf, UsageError } from "../errors.ts";
import { configRequest } from "./config-flags.ts";
import type { Args, Io } from "./verb.ts";

/** How each is written, loaded when it is. */
const EMITTERS: Readonly<Record<EmitTarget, () => Promise<(deployment: Deployment) => Emitted>>> = {
  compose: async () => (await import("../discovery/emit/compose.ts")).emitCompose,
  kubernetes: async () => (await import("../discovery/emit/kubernetes.ts")).emitKubernetes,
  systemd: async () => (await import("../discovery/emit/systemd.ts")).emitSystemd,
  traefik: async () => (await import("../discovery/emit/traefik.ts")).emitTraefik,
};

const REPLICAS_MAX = 1_000;

/** Resolves with the exit code. Throws `UsageError` for what would not fit. */
export async function emitFiles(args: Args, io: Io): Promise<number> {
  const target = targetOf(args);
  const out = textFlag(args, "out");
  const { deployment, problems } = deploymentOf(target, args, io);
  if (problems.length > 0)
    throw new UsageError(problems.map((problem) => `cannot emit ${target}: ${problem}`).join("\n"));
  const files = (await EMITTERS[target]())(deployment);
  if (out !== undefined) write(files, resolve(io.cwd, out));
  if (args.flags["json"] === true) io.stdout(`${JSON.stringify({ files: Object.fromEntries(files) })}\n`);
  else if (out !== undefined) io.stdout(`wrote ${[...files.keys()].join(", ")} in ${resolve(io.cwd, out)}\n`);
  else io.stdout(onlyOne(files));
  return ExitCode.ok;
}

function targetOf({ positionals }: Args): EmitTarget {
  const targets = Object.keys(EMITTERS) as EmitTarget[];
  const target = targets.find((known) => known === positionals[0]);
  if (target !== undefined && positionals.length === 1) return target;
  throw new UsageError(
    `cannot emit '${positionals.join(" ")}': name one of ${targets.join(", ")}, as 'haraka emit compose'`,
  );
}

function deploymentOf(
  target: EmitTarget,
  args: Args,
  io: Io,
): { deployment: Deployment; problems: string[] } {
  const request = configRequest(args, io);
  const { config } = readConfig(request);
  const services = config.services.filter(({ profiles }) => profiles.length === 0);
  const chosen: Config = { ...config, services };
  const name = nameOf(config.runtime.name);
  const routed = services.some(({ routes }) => routes.length > 0);
  const traefik = routed ? config.discovery?.traefik : undefined;
  const publisher = traefik && (traefik.redis ? "redis" : "http");
  const out = target === "systemd" ? "/" : resolve(io.cwd, textFlag(args, "out") ?? ".");
  const deployment: Deployment = {
    config: chosen,
    name,
    namespace: namespaceOf(config),
    timings: timingsOf(config.runtime, { kubernetes: target === "kubernetes", publisher }),
    image: textFlag(args, "image") ?? (target === "kubernetes" ? name : "haraka-runtime"),
    replicas: replicasOf(args),
    // Not those that they include, which the runtime finds by itself.
    files: filesOf(
      configPaths(request).map((path) => resolve(io.cwd, path)),
      out,
    ),
  };
  return {
    deployment,
    problems: emitProblems(deployment, { target, plan: createPlan(services.map(specOf)) }),
  };
}

/** As containers, units and objects may be called. */
function nameOf(name: string): string {
  const plain = name.toLowerCase().replace(/[^a-z\d]+/g, "-");
  return plain.replace(/^-|-$/g, "").slice(0, 50) || "haraka";
}

/** Where these files are, as seen from `out`. */
function filesOf(files: readonly string[], out: string): Deployment["files"] {
  const [folder = out, ...others] = [...new Set(files.map((file) => dirname(file)))];
  if (others.length > 0)
    throw new UsageError(
      `cannot emit from files in ${[folder, ...others].join(" and ")}: put them into one folder`,
    );
  const from = out === "/" ? folder : relative(out, folder);
  return {
    root: folder,
    folder: from.startsWith("/") || from.startsWith("..") ? from : `./${from}`,
    names: files.map((file) => basename(file)),
  };
}

function replicasOf(args: Args): number {
  const text = textFlag(args, "replicas") ?? "1";
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > REPLICAS_MAX)
    throw new UsageError(`cannot emit ${text} replicas: expected a number from 1 to ${REPLICAS_MAX}`);
  return count;
}

function textFlag({ flags }: Args, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}

function onlyOne(files: Emitted): string {
  const [first = "", ...others] = files.values();
  if (others.length === 0) return first;
  throw new UsageError(`cannot print ${[...files.keys()].join(" and ")} as one: name a folder with -o`);
}

/** Nothing is written over that somebody else has written. */
function write(files: Emitted, folder: string): void {
  const paths = [...files].map(([name, text]) => ({ path: join(folder, name), text }));
  const foreign = paths.find(({ path }) => existsSync(path) && !readFileSync(path, "utf8").startsWith(MARK));
  if (foreign)
    throw new UsageError(
      `cannot write ${foreign.path}: it is there, and not from 'haraka emit'; remove it, or name another folder`,
    );
  try {
    mkdirSync(folder, { recursive: true });
    for (const { path, text } of paths) writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`cannot write into ${folder}: ${messageOf(error)}`);
  }
}
