// Runs test/fixtures/http-server.ts under one of the three runtimes and talks to it: commands over stdin, HTTP over sockets.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";

export type RuntimeName = "bun" | "deno" | "node";

const ROOT = new URL("../../", import.meta.url).pathname;
const FIXTURE = `${ROOT}test/fixtures/http-server.ts`;
const COMMANDS: Record<RuntimeName, readonly [string, ...string[]]> = {
  bun: ["bun", FIXTURE],
  deno: [`${ROOT}node_modules/.bin/deno`, "run", "--allow-all", "--no-check", FIXTURE],
  node: [`${ROOT}node_modules/.bin/node`, FIXTURE],
};

export interface Rig extends AsyncDisposable {
  port: number;
  url: string;
  /** Runs one of the fixture's commands; resolves with its answer. */
  command(line: string): Promise<unknown>;
  /** Sends the text as it is; resolves with everything that came back once the server has closed the connection. */
  raw(text: string): Promise<string>;
  /** The same, a byte at a time. */
  trickle(text: string): Promise<string>;
}

export async function startServer(runtime: RuntimeName, options: { host?: string } = {}): Promise<Rig> {
  const host = options.host ?? "127.0.0.1";
  const [command, ...args] = COMMANDS[runtime];
  const child = spawn(command, [...args, runtime, host], { stdio: ["pipe", "pipe", "inherit"], cwd: ROOT });
  const exited = once(child, "exit");
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const { value, done } = await answers.next();
    if (done) throw new Error(`the ${runtime} fixture has ended`);
    return JSON.parse(value);
  };
  const port = Number(await answer());
  return {
    port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    command(line) {
      child.stdin.write(`${line}\n`);
      return answer();
    },
    raw: (text) => exchange({ port, host }, [text]),
    trickle: (text) => exchange({ port, host }, text),
    async [Symbol.asyncDispose]() {
      // Not a signal: it would end npm's wrapper of Deno and Node, and leave the runtime behind.
      child.stdin.end();
      await exited;
    },
  };
}

async function exchange(server: { port: number; host: string }, pieces: Iterable<string>): Promise<string> {
  const socket = connect({ ...server, noDelay: true });
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk) => void (received += chunk));
  const closed = once(socket, "close");
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
  await closed;
  return received;
}
