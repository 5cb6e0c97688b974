// `haraka status --watch` on a real terminal: what it shows, what its keys do, and that the terminal is given back however it ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ControlRig, startControl } from "../http/control-rig.ts";
import { binary } from "./support/binary.ts";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const UP = "\x1b[A";
const DOWN = "\x1b[B";

/** `haraka status --watch` on a terminal of 100 by 24. */
class Watch implements AsyncDisposable {
  readonly child: Bun.Subprocess;
  #text = "";
  #look: () => void = () => {};

  constructor(rig: ControlRig) {
    this.child = Bun.spawn([binary(), "status", "--watch"], {
      env: { HARAKA_SOCKET: rig.socket, TERM: "xterm", NO_COLOR: "1" },
      terminal: {
        cols: 100,
        rows: 24,
        data: (_, bytes) => {
          this.#text += new TextDecoder().decode(bytes);
          this.#look();
        },
      },
    });
  }

  /** Everything so far. */
  get text(): string {
    return this.#text;
  }

  /** The last picture that was drawn, line by line. */
  get page(): string[] {
    const last = this.#text.split("\x1b[H").at(-1) ?? "";
    // oxlint-disable-next-line no-control-regex -- that is how lines are cleared
    return last.split("\r\n").map((line) => line.replaceAll(/\x1b\[[KJ]/g, ""));
  }

  type(keys: string): this {
    this.child.terminal?.write(keys);
    return this;
  }

  /** Resolves once the page has a line like this. */
  async shows(pattern: RegExp): Promise<void> {
    await this.until(() => this.page.some((line) => pattern.test(line)));
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((look) => (this.#look = look));
  }

  /** The exit code, with the terminal as it was. */
  async ended(): Promise<number> {
    const code = await this.child.exited;
    await this.until(() => this.#text.includes(LEAVE));
    assert.equal(this.#text.split(ENTER).length, 2, "the screen is taken once");
    assert.equal(this.#text.split(LEAVE).length, 2, "and given back once");
    return code;
  }

  /** Cooked, as a shell leaves it. */
  get isCooked(): boolean {
    const ICANON_AND_ECHO = 0o12;
    return ((this.child.terminal?.localFlags ?? 0) & ICANON_AND_ECHO) === ICANON_AND_ECHO;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    this.child.terminal?.close();
  }
}

async function rig(): Promise<{ control: ControlRig; watch: Watch } & AsyncDisposable> {
  const control = await startControl();
  const watch = new Watch(control);
  await watch.shows(/^> db +ready/);
  while (((await control.command("listeners")) as { events: number }).events === 0);
  return {
    control,
    watch,
    async [Symbol.asyncDispose]() {
      await watch[Symbol.asyncDispose]();
      await control[Symbol.asyncDispose]();
    },
  };
}

test("it shows what is and what happens, and asks for nothing in between", async () => {
  await using all = await rig();
  const { control, watch } = all;
  assert.equal(watch.page.length, 24);
  assert.match(watch.page[0] ?? "", /^shop 1\.2\.3 {2}started, ready {2}pid \d+ {2}up since \d\d:\d\d:\d\d/);
  await control.command('set {"name":"db","state":"unready","reason":"probe \\u001b[2J fails"}');
  await watch.shows(/^> db +unready .* probe {2}fails/);
  await control.command('set {"name":"new","state":"pending"}');
  await watch.shows(/^ {2}new +pending/);
});

test("keys choose and order; what is refused is said, and can be done with the others", async () => {
  await using all = await rig();
  const { control, watch } = all;
  watch.type(DOWN);
  await watch.shows(/^> api/);
  watch.type("r");
  await watch.shows(/^restart: api/);
  watch.type(`${UP}x`);
  await watch.shows(/^cannot stop 'db': 'api' needs it; add --cascade \(here: X\)/);
  watch.type("X");
  await watch.shows(/^> db +stopped/);
  await watch.shows(/^stop: api, db/);
  watch.type("s");
  await watch.shows(/^> db +ready/);
  assert.deepEqual(await control.command("calls"), ["restart api", "stop db", "stop db cascade", "start db"]);
  assert.equal(await watch.type("q").ended(), 0);
  assert.ok(watch.isCooked);
});

test("l shows the log as it grows, any key leads back", async () => {
  await using all = await rig();
  const { control, watch } = all;
  await control.command("write db before");
  watch.type("l");
  await watch.shows(/^before/);
  await control.command("write db \x1b[31mafter");
  await watch.shows(/^after/);
  watch.type(" ");
  await watch.shows(/^> db/);
  while (((await control.command("listeners")) as { lines: number }).lines > 0)
    await control.command("write db x");
  assert.equal(await watch.type("\x03").ended(), 0);
});

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
  ["SIGHUP", 129],
] as const) {
  test(`${signal} gives the terminal back`, async () => {
    await using all = await rig();
    all.watch.child.kill(signal);
    assert.equal(await all.watch.ended(), code);
    assert.ok(all.watch.isCooked);
  });
}

test("it ends with the runtime", async () => {
  await using all = await rig();
  await all.control.end();
  assert.equal(await all.watch.ended(), 0);
  await all.watch.until(() => all.watch.text.includes("the runtime has ended"));
  assert.ok(all.watch.isCooked);
});

test("it ends when the runtime is killed, and says so", async () => {
  await using all = await rig();
  await all.control.die();
  assert.equal(await all.watch.ended(), 1);
  await all.watch.until(() => all.watch.text.includes("the runtime has gone without a word"));
});

test("another size is drawn at once", async () => {
  await using all = await rig();
  all.watch.child.terminal?.resize(60, 10);
  await all.watch.until(() => all.watch.page.length === 10);
});
