// The soak, by `bun run test:long`: the compiled binary under crash loops, log floods, flapping probes, orphans, orders, reloads and
// questions, all at once, for SOAK_MINUTES (default 10). What it holds (descriptors, threads, memory) has to stay flat, and no
// line of what its services wrote may be missing. It measures no speed.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { binary } from "../e2e/support/binary.ts";
import { askSocket } from "../http/control-rig.ts";
import { Bookkeeper } from "./bookkeeper.ts";

const MINUTES = Number(process.env["SOAK_MINUTES"] ?? 10);
/** Between two things that are asked of it. */
const ACTION_MS = 250;
const SAMPLE_MS = 1000;
/** Lines of one flood. */
const FLOOD_LINES = 4000;
/** What is no leak: children and questions that are on their way when it is looked at; pages the allocator keeps. */
const MARGIN = { fds: 6, threads: 2, rssRatio: 1.1, rssMib: 8 };

const RESTARTS = "{ policy: always, backoff: 50ms..400ms, limit: 1000/10s }";

/** `round` changes what a reload has to restart, add and take away. */
function configOf(round: number, port: number): string {
  return `
http: { host: 127.0.0.1, port: 0 }
runtime: { log: { format: json } }
services:
  crash-1: { command: [sh, -c, "echo first $$$$; printf 'last %s' $$$$; exit 3"], restart: ${RESTARTS}, critical: false }
  crash-2: { command: [sh, -c, "echo first $$$$ >&2; printf 'last %s' $$$$ >&2; kill -9 $$$$"], restart: ${RESTARTS}, critical: false }
  vanishing: { command: [./tool], cwd: ., restart: ${RESTARTS}, critical: false }
  flood: { command: [sh, -c, "seq -f \\"$$$$ %g\\" ${FLOOD_LINES} >&2 & seq -f \\"$$$$ %g\\" ${FLOOD_LINES}; wait; sleep 1"], restart: ${RESTARTS}, critical: false }
  endless: { command: [sh, -c, "head -c 1000000 /dev/zero | tr '\\\\0' x; sleep 1"], restart: ${RESTARTS}, critical: false }
  asked: { command: [sleep, "100000"], readiness: { http: "http://127.0.0.1:${port}/", interval: 100ms, failureThreshold: 1 }, critical: false }
  looked-at: { command: [sleep, "100000"], readiness: { exec: [test, -e, go], interval: 200ms, failureThreshold: 1 }, critical: false }
  connected-to: { command: [sleep, "100000"], readiness: { tcp: "127.0.0.1:${port}", interval: 100ms }, critical: false }
  sick: { command: [sleep, "100000"], liveness: { exec: [test, -e, go], interval: 200ms, failureThreshold: 1 }, restart: ${RESTARTS}, critical: false }
  module: { entrypoint: ./module.ts, critical: false }
  needy: { command: [sleep, "100000"], dependencies: [module], critical: false }
  mother: { kind: task, command: [sh, -c, "(: &) ; (setsid sh -c 'sleep 0.1' &) ; exit 0"], schedule: "*/2 * * * * *" }
  changed: { command: [sleep, "100000"], environment: { ROUND: "${round}" }, critical: false }
${round % 2 === 0 ? `  guest: { command: [sleep, "100000"], critical: false }` : ""}
`;
}

const MODULE = `
import { Service } from "haraka-runtime";
export default class extends Service {
  async startup() { this.runtime.addBackgroundTask((signal) => new Promise((resolve) => signal.addEventListener("abort", resolve))); }
}`;

interface Sample {
  fds: number;
  threads: number;
  rssMib: number;
}

function sampleOf(pid: number): Sample {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  const fds = readdirSync(`/proc/${pid}/fd`).length;
  return { fds, threads: field("Threads"), rssMib: Math.round(field("VmRSS") / 102.4) / 10 };
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** The medians of one quarter of the samples, counted from 0. */
function quarter(samples: readonly Sample[], index: number): Sample {
  const part = samples.slice((samples.length * index) / 4, (samples.length * (index + 1)) / 4);
  const of = (key: keyof Sample): number => median(part.map((sample) => sample[key]));
  return { fds: of("fds"), threads: of("threads"), rssMib: of("rssMib") };
}

/** What a probe is asked: says yes and no in turns, a second each. */
async function moody(): Promise<Server> {
  const server = createServer((_, response) => {
    response.writeHead(Math.floor(Date.now() / 1000) % 2 === 0 ? 200 : 503).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Puts there what probes look for, and the program of a service. */
function give(folder: string): void {
  writeFileSync(join(folder, "go"), "");
  writeFileSync(join(folder, "tool"), "#!/bin/sh\n", { mode: 0o755 });
}

/** Takes them away again. */
function take(folder: string): void {
  for (const name of ["go", "tool"]) rmSync(join(folder, name), { force: true });
}

/** Opens a stream of the control socket and leaves in the middle of it. */
async function peek(socketPath: string, path: string): Promise<void> {
  const outgoing = request({
    socketPath,
    agent: false,
    path,
    headers: { accept: "text/event-stream" },
  }).end();
  outgoing.on("error", () => {});
  await once(outgoing, "response");
  await pause(50);
  outgoing.destroy();
}

/** One after the other, over and over; each answers with the status it got. */
function actionsOn(folder: string, { port, socket }: { port: number; socket: string }) {
  const ask = async (method: string, path: string): Promise<number> =>
    (await askSocket(socket, { method, path })).status;
  let round = 0;
  return [
    () => ask("GET", "/health?verbose"),
    () => ask("GET", "/api/v1/services"),
    () => (take(folder), ask("GET", "/health/ready")),
    () => ask("POST", "/api/v1/services/module/restart?cascade"),
    () => peek(socket, "/api/v1/runtime/events"),
    () => (give(folder), ask("GET", "/api/v1/runtime/timeline")),
    () => peek(socket, "/api/v1/services/flood/logs?follow"),
    () => {
      writeFileSync(join(folder, "runtime.yaml"), configOf(++round, port));
      return ask("POST", "/api/v1/runtime/reload");
    },
    () => ask("GET", "/api/v1/services/flood/logs"),
    () => ask("POST", "/api/v1/services/no-such/restart"),
    () => ask("GET", "/api/v1/runtime"),
  ];
}

/** Starts it, and gives what it says to the bookkeeper. */
async function startIn(folder: string, books: Bookkeeper): Promise<ChildProcess> {
  const child = spawn(binary(), ["run"], {
    cwd: folder,
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "inherit"],
  });
  after(() => child.kill("SIGKILL"));
  const started = Promise.withResolvers<void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const record = books.read(line);
    if (record.stream === "runtime" && record.message === "started") started.resolve();
  });
  void once(child, "exit").then(() => started.reject(new Error("ended before it had started")));
  await started.promise;
  return child;
}

test(
  `${MINUTES} minutes of everything at once leave no trace`,
  { timeout: (MINUTES + 2) * 60_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "haraka-soak-"));
    const server = await moody();
    after(() => {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const { port } = server.address() as AddressInfo;
    writeFileSync(join(folder, "runtime.yaml"), configOf(0, port));
    writeFileSync(join(folder, "module.ts"), MODULE);
    give(folder);

    const books = new Bookkeeper({ floodLines: FLOOD_LINES });
    const child = await startIn(folder, books);
    const actions = actionsOn(folder, { port, socket: join(folder, "data/haraka.sock") });
    const statuses: Record<string, number> = {};
    const samples: Sample[] = [];
    const sampling = setInterval(() => {
      const sample = sampleOf(child.pid ?? 0);
      // A soak that says nothing for ten minutes looks like one that hangs.
      if (samples.push(sample) % 60 === 0)
        console.log(`after ${samples.length / 60} min: ${JSON.stringify(sample)}`);
    }, SAMPLE_MS);
    const endMs = performance.now() + MINUTES * 60_000;
    for (let index = 0; performance.now() < endMs; index++) {
      const status = (await actions[index % actions.length]?.()) ?? "peeked";
      statuses[status] = (statuses[status] ?? 0) + 1;
      await pause(ACTION_MS);
    }
    clearInterval(sampling);
    const ended = once(child, "close");
    child.kill("SIGTERM");
    const [code] = (await ended) as [number | null];

    const [early, late] = [quarter(samples, 1), quarter(samples, 3)];
    const account = books.close();
    console.log(
      JSON.stringify({ minutes: MINUTES, samples: samples.length, early, late, statuses, ...account }),
    );
    assert.equal(code, 0);
    assert.deepEqual(account.missing, []);
    for (const [what, count] of Object.entries(account.counts)) assert.ok(count > 0, `no ${what} at all`);
    // Ready is 503 now and then, by intent; a service that nobody knows is 404, and nothing else is refused.
    assert.deepEqual(
      Object.keys(statuses).toSorted(),
      ["200", "202", "404", "503", "peeked"].filter((each) => each in statuses),
    );
    assert.ok(late.fds <= early.fds + MARGIN.fds, `descriptors: ${early.fds}, then ${late.fds}`);
    assert.ok(
      late.threads <= early.threads + MARGIN.threads,
      `threads: ${early.threads}, then ${late.threads}`,
    );
    const roomMib = Math.max(early.rssMib * MARGIN.rssRatio, early.rssMib + MARGIN.rssMib);
    assert.ok(late.rssMib <= roomMib, `memory: ${early.rssMib} MiB, then ${late.rssMib} MiB`);
  },
);
