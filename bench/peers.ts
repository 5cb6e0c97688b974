// The others: what people use instead, given the same children and the same work, each with the readiness it has itself. Only
// what is on PATH is run, nothing is installed; who is not there is said to be absent. Figures are for the note beside a row.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alternate, type Rounds } from "./measure.ts";
import { round } from "./row.ts";
import { freshFile, freshFolder, native } from "./workshop.ts";

/** Services by name, each with the names it depends on. */
export type Shape = Record<string, readonly string[]>;

export interface Work {
  shape: Shape;
  /** What each runs; with `fd`, it says there that it is ready. Always says "ready" in its output. */
  command(fd?: number): readonly string[];
}

/** The file in which children say that they are up, for those who answer no requests. */
export const BIRTHS = "births";

/** Each a tiny program that is ready after a delay. */
export async function workOf(
  shape: Shape,
  { delayMs = 0, ends = "-" }: { delayMs?: number; ends?: string } = {},
): Promise<Work> {
  const words = [await native("child"), String(delayMs), ends, freshFile(BIRTHS)];
  return { shape, command: (fd) => (fd === undefined ? words : [...words, String(fd)]) };
}

/** What runs a work, in a folder of its own. */
export interface Program {
  command: readonly string[];
  env?: Readonly<Record<string, string>>;
}

interface Peer {
  name: string;
  /** All of them have to be on PATH. */
  programs: readonly string[];
  /** Whether it starts one service after another has become ready, or at least after it has started. */
  ordered: boolean;
  prepare(folder: string, work: Work): Program;
}

/** The notification descriptor of those that have one. */
const FD = 3;

const entries = ({ shape }: Work): [name: string, dependencies: readonly string[]][] => Object.entries(shape);
/** Who is needed by nobody. */
const leaves = ({ shape }: Work): string[] => {
  const needed = new Set(Object.values(shape).flat());
  return Object.keys(shape).filter((name) => !needed.has(name));
};
const lines = (...all: (string | false)[]): string =>
  all
    .filter((line) => line !== false)
    .map((line) => `${line}\n`)
    .join("");

function script(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

const dinit: Peer = {
  name: "dinit",
  programs: ["dinit"],
  ordered: true,
  prepare(folder, work) {
    for (const [name, dependencies] of entries(work)) {
      const needs = dependencies.map((each) => `depends-on = ${each}`);
      const keep = ["smooth-recovery = true", "restart = true", "restart-limit-count = 0"];
      const what = [
        "type = process",
        `command = ${work.command(FD).join(" ")}`,
        `ready-notification = pipefd:${FD}`,
      ];
      writeFileSync(join(folder, name), lines(...what, ...keep, ...needs));
    }
    writeFileSync(
      join(folder, "boot"),
      lines("type = internal", ...leaves(work).map((name) => `depends-on = ${name}`)),
    );
    return { command: ["dinit", "--user", "-d", folder, "-p", join(folder, ".socket"), "boot"] };
  },
};

/** The folder of one service as s6 wants it. */
function s6Service(folder: string, command: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  script(join(folder, "run"), lines("#!/bin/sh", `exec ${command.join(" ")}`));
  writeFileSync(join(folder, "notification-fd"), `${FD}\n`);
}

const s6: Peer = {
  name: "s6-svscan",
  programs: ["s6-svscan", "s6-supervise"],
  ordered: false,
  prepare(folder, work) {
    for (const [name] of entries(work)) s6Service(join(folder, name), work.command(FD));
    return { command: ["s6-svscan", "-c", "500", folder] };
  },
};

const s6rc: Peer = {
  name: "s6-rc",
  programs: ["s6-rc", "s6-rc-compile", "s6-rc-init", "s6-svscan"],
  ordered: true,
  prepare(folder, work) {
    const [source, compiled, scan, live] = ["source", "compiled", "scan", "live"].map((name) =>
      join(folder, name),
    );
    for (const [name, dependencies] of entries(work)) {
      const place = join(source ?? "", name);
      s6Service(place, work.command(FD));
      writeFileSync(join(place, "type"), "longrun\n");
      mkdirSync(join(place, "dependencies.d"));
      for (const each of dependencies) writeFileSync(join(place, "dependencies.d", each), "");
    }
    mkdirSync(join(source ?? "", "all/contents.d"), { recursive: true });
    writeFileSync(join(source ?? "", "all/type"), "bundle\n");
    for (const [name] of entries(work)) writeFileSync(join(source ?? "", "all/contents.d", name), "");
    mkdirSync(join(scan ?? "", ".s6-svscan"), { recursive: true });
    const { exitCode, stderr } = Bun.spawnSync(["s6-rc-compile", compiled ?? "", source ?? ""]);
    if (exitCode !== 0) throw new Error(stderr.toString().trim());
    const up = `until s6-rc-init -c ${compiled} -l ${live} ${scan} 2>/dev/null; do :; done; exec s6-rc -l ${live} -u change all`;
    return { command: ["sh", "-c", `(${up}) & exec s6-svscan -c 500 ${scan}`] };
  },
};

const supervisord: Peer = {
  name: "supervisord",
  programs: ["supervisord"],
  ordered: false,
  prepare(folder, work) {
    const head = ["[supervisord]", "nodaemon=true", "logfile=/dev/null", "logfile_maxbytes=0"];
    const programs = entries(work).flatMap(([name]) => [
      `[program:${name}]`,
      `command=${work.command().join(" ")}`,
      "startsecs=0",
      "autorestart=true",
      "stdout_logfile=/dev/fd/1",
      "stdout_logfile_maxbytes=0",
    ]);
    const file = join(folder, "supervisord.conf");
    writeFileSync(file, lines(...head, `pidfile=${join(folder, "pid")}`, ...programs));
    return { command: ["supervisord", "-c", file] };
  },
};

const pm2: Peer = {
  name: "pm2-runtime",
  programs: ["pm2-runtime"],
  ordered: false,
  prepare(folder, work) {
    const [program, ...args] = work.command();
    const apps = entries(work).map(([name]) => ({
      name,
      script: program,
      args,
      interpreter: "none",
      exec_mode: "fork",
    }));
    const file = join(folder, "bench.config.json");
    writeFileSync(file, JSON.stringify({ apps }));
    return { command: ["pm2-runtime", "start", file], env: { PM2_HOME: join(folder, "home") } };
  },
};

const processCompose: Peer = {
  name: "process-compose",
  programs: ["process-compose"],
  ordered: true,
  prepare(folder, work) {
    const processes = Object.fromEntries(
      entries(work).map(([name, dependencies]) => [
        name,
        {
          command: `exec ${work.command().join(" ")}`,
          ready_log_line: "ready",
          availability: { restart: "always", backoff_seconds: 1 },
          depends_on: Object.fromEntries(
            dependencies.map((each) => [each, { condition: "process_log_ready" }]),
          ),
        },
      ]),
    );
    const file = join(folder, "process-compose.yaml");
    writeFileSync(file, JSON.stringify({ version: "0.5", processes }));
    return { command: ["process-compose", "up", "-f", file, "-t=false", "--no-server"] };
  },
};

const pebble: Peer = {
  name: "pebble",
  programs: ["pebble"],
  ordered: true,
  prepare(folder, work) {
    const services = Object.fromEntries(
      entries(work).map(([name, dependencies]) => [
        name,
        {
          override: "replace",
          command: work.command().join(" "),
          startup: "enabled",
          requires: dependencies,
          after: dependencies,
          "backoff-delay": "10ms",
        },
      ]),
    );
    mkdirSync(join(folder, "layers"));
    writeFileSync(join(folder, "layers/001-bench.yaml"), JSON.stringify({ services }));
    return { command: ["pebble", "run"], env: { PEBBLE: folder } };
  },
};

const PEERS: readonly Peer[] = [dinit, s6rc, s6, supervisord, pm2, processCompose, pebble];

export interface Contest {
  row: string;
  work: Work;
  unit: string;
  /** Whether the work needs somebody who starts in order. */
  ordered?: boolean;
  /** Default: three, and one thrown away. */
  rounds?: Rounds;
  measure(program: Program): Promise<number>;
}

/** What the others took for the same work, in words: figures, who cannot do it, who is absent. */
export async function peersBeside(contest: Contest): Promise<string> {
  const { row, work, unit, ordered = false, rounds = { count: 3 }, measure } = contest;
  const isThere = ({ programs }: Peer): boolean => programs.every((program) => Bun.which(program) !== null);
  const absent = PEERS.filter((peer) => !isThere(peer)).map(({ name }) => name);
  const parts: string[] = [];
  for (const peer of PEERS.filter(isThere)) {
    if (ordered && !peer.ordered) {
      parts.push(`${peer.name} knows no order`);
      continue;
    }
    try {
      const { value } = await alternate(rounds, {
        value: () => measure(peer.prepare(freshFolder(`${row}-${peer.name}`), work)),
      });
      parts.push(`${peer.name} ${round(value)} ${unit}`);
    } catch (error) {
      // Of another version perhaps; no reason to measure nothing else.
      parts.push(
        `${peer.name} failed (${(error instanceof Error ? error.message : String(error)).slice(0, 100)})`,
      );
    }
  }
  if (absent.length > 0) parts.push(`absent: ${absent.join(", ")}`);
  return parts.join("; ");
}
