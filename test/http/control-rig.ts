// Runs test/fixtures/control-server.ts under one of the three runtimes: a scripted runtime on a real control socket.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { root } from "../e2e/support/binary.ts";
import { JAVASCRIPT_RUNTIMES } from "../e2e/support/programs.ts";

export type RuntimeName = keyof typeof JAVASCRIPT_RUNTIMES;

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  text: string;
}

export interface ControlRig extends AsyncDisposable {
  socket: string;
  child: ChildProcess;
  /** What it said first. */
  opened: { pid?: number; error?: string };
  /** Runs one of the fixture's commands; resolves with its answer. */
  command(line: string): Promise<unknown>;
  ask(
    method: string,
    path: string,
    options?: { headers?: Record<string, string>; body?: string },
  ): Promise<Answer>;
  /** Sends bytes as they are; resolves with everything that came back once the connection is closed. */
  raw(bytes: string | Uint8Array): Promise<string>;
  /** Kills it, so that its socket stays. */
  die(): Promise<void>;
  /** Ends it as a runtime ends. */
  end(): Promise<void>;
}

/** A folder for sockets, whose paths may not be long. */
export function socketFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "haraka-s-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Without a socket, it gets one in a folder of its own. */
export async function startControl(
  options: { runtime?: RuntimeName; socket?: string; named?: boolean } = {},
): Promise<ControlRig> {
  const folder = options.socket === undefined ? socketFolder() : undefined;
  const socket = options.socket ?? join(folder?.path ?? "", "haraka.sock");
  const [command = "", ...words] = JAVASCRIPT_RUNTIMES[options.runtime ?? "bun"];
  const args = [...words, join(root, "test/fixtures/control-server.ts"), socket];
  if (options.named === false) args.push("default");
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], cwd: root });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the fixture has ended");
    return JSON.parse(value);
  };
  const opened = (await answer()) as ControlRig["opened"];
  const end = async () => {
    child.stdin.end();
    await exited;
  };
  return {
    socket,
    child,
    opened,
    command(line) {
      child.stdin.write(`${line}\n`);
      return answer();
    },
    ask: (method, path, more = {}) => askSocket(socket, { method, path, ...more }),
    async raw(bytes) {
      const connection = connect({ path: socket });
      let received = "";
      connection.setEncoding("utf8").on("data", (text) => void (received += text));
      connection.on("error", () => {});
      // Being cut off is an answer, too.
      const closed = new Promise((resolve) => connection.once("close", resolve));
      connection.write(bytes);
      await closed;
      return received;
    },
    async die() {
      child.kill("SIGKILL");
      await exited;
    },
    end,
    async [Symbol.asyncDispose]() {
      child.kill("SIGCONT");
      await end();
      folder?.[Symbol.dispose]();
    },
  };
}

/** One request over a socket. */
export async function askSocket(
  socket: string,
  { body, ...options }: { method: string; path: string; headers?: Record<string, string>; body?: string },
): Promise<Answer> {
  const outgoing = request({ socketPath: socket, agent: false, ...options });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [import("node:http").IncomingMessage];
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk as string;
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

export const isRoot = process.getuid?.() === 0;
