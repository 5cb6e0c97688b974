// `haraka status --watch`: the picture again whenever something has happened, and on a terminal keys that act on the chosen
// service. It asks when the runtime says that something happened, never by the clock.
import { ExitCode, messageOf } from "../errors.ts";
import type { LineView } from "../http/control-views.ts";
import { type Client, servicePath } from "./client.ts";
import { picture } from "./picture.ts";
import { type Picture, statusTable } from "./status-table.ts";
import { colourful, isInteractive, openScreen, type Screen } from "./terminal.ts";
import type { Io } from "./verb.ts";
import { type Keys, keyOf, keysOf, logsPage, servicesPage } from "./watch-pages.ts";

/** Many things happen at once; more pictures a second than this nobody sees. */
const REST_MS = 40;
const EVENTS = "/api/v1/runtime/events";
const GONE = "the runtime has gone without a word";
/** What the log page keeps. */
const LINES_MAX = 1_000;

export async function watch(client: Client, { io, json }: { io: Io; json: boolean }): Promise<number> {
  if (json || !isInteractive()) return report(client, { io, json });
  const session = new Session(client, colourful(io.env));
  const { code, farewell } = await session.run();
  if (farewell !== "") io.stdout(`${farewell}\n`);
  return code;
}

/** For a pipe: a table, or a line of JSON, for every change. */
async function report(client: Client, { io, json }: { io: Io; json: boolean }): Promise<number> {
  const closed = new AbortController();
  const show = async () => {
    const seen = await picture(client);
    const table = () => statusTable(seen, { nowMs: Date.now(), colour: false, lasting: true }).join("\n");
    if (io.stdout(json ? `${JSON.stringify(seen)}\n` : `${table()}\n\n`) === false) closed.abort();
  };
  const asked = asking(show);
  let ended = false;
  for await (const { event } of client.events(EVENTS, closed.signal)) {
    ended ||= event === "end";
    // A runtime that cannot be asked any more is about to end the stream, too.
    if (!ended) asked.again().catch(() => {});
  }
  if (ended || closed.signal.aborted) return ExitCode.ok;
  io.stderr(`haraka: ${GONE}\n`);
  return ExitCode.failure;
}

/** Runs `ask` again after every call to `again`, one at a time, many calls at once counting as one. */
function asking(ask: () => Promise<void>): { again(): Promise<void> } {
  let running: Promise<void> | undefined;
  let dirty = false;
  const turn = async () => {
    try {
      while (dirty) {
        dirty = false;
        await ask();
        await new Promise((rest) => setTimeout(rest, REST_MS));
      }
    } finally {
      running = undefined;
    }
  };
  return {
    again() {
      dirty = true;
      return (running ??= turn());
    },
  };
}

/** One sitting in front of the terminal. */
class Session {
  readonly #client: Client;
  readonly #colour: boolean;
  readonly #over = new AbortController();
  readonly #done = Promise.withResolvers<{ code: number; farewell: string }>();
  readonly #asking = asking(() => this.#look());
  #screen: Screen | undefined;
  #picture: Picture | undefined;
  #selected = 0;
  #message = "";
  /** The service whose log is shown, its lines, and what ends their stream. */
  #log: { service: string; lines: LineView[]; close: AbortController } | undefined;

  constructor(client: Client, colour: boolean) {
    this.#client = client;
    this.#colour = colour;
  }

  async run(): Promise<{ code: number; farewell: string }> {
    // Whatever keeps the runtime from being reached is said before the screen is taken.
    await this.#look();
    this.#screen = openScreen({
      onInput: (text) => keysOf(text).forEach((key) => this.#onKey(key)),
      onResize: () => this.#draw(),
    });
    try {
      this.#draw();
      void this.#follow();
      return await this.#done.promise;
    } finally {
      this.#over.abort();
      this.#log?.close.abort();
      this.#screen.restore();
    }
  }

  /** Until the runtime ends, or the user leaves. */
  async #follow(): Promise<void> {
    let ended = false;
    try {
      for await (const { event } of this.#client.events(EVENTS, this.#over.signal)) {
        ended ||= event === "end";
        // A runtime that cannot be asked any more is about to end the stream, too.
        if (!ended) this.#asking.again().catch(() => {});
      }
      const farewell = ended ? "the runtime has ended" : `haraka: ${GONE}`;
      this.#done.resolve({ code: ended ? ExitCode.ok : ExitCode.failure, farewell });
    } catch (error) {
      this.#done.reject(error);
    }
  }

  async #look(): Promise<void> {
    this.#picture = await picture(this.#client);
    this.#selected = Math.min(this.#selected, Math.max(0, this.#picture.services.length - 1));
    this.#draw();
  }

  #draw(): void {
    if (!this.#screen || !this.#picture) return;
    const options = { ...this.#screen.size(), colour: this.#colour, nowMs: Date.now() };
    const { service, lines } = this.#log ?? {};
    this.#screen.draw(
      service !== undefined && lines !== undefined
        ? logsPage(service, lines, options)
        : servicesPage(this.#picture, { ...options, selected: this.#selected, message: this.#message }),
    );
  }

  #onKey(key: string): void {
    const what = keyOf(key);
    this.#message = "";
    if (what === "quit") this.#done.resolve({ code: ExitCode.ok, farewell: "" });
    else if (this.#log) this.#closeLog();
    else if (what !== undefined) this.#onServiceKey(what);
    this.#draw();
  }

  #onServiceKey(what: Exclude<Keys, "quit">): void {
    const services = this.#picture?.services ?? [];
    const chosen = services[this.#selected]?.name;
    if (what === "up") this.#selected = Math.max(0, this.#selected - 1);
    else if (what === "down") this.#selected = Math.min(services.length - 1, this.#selected + 1);
    else if (chosen === undefined) return;
    else if (what === "logs") void this.#openLog(chosen);
    else void this.#act(chosen, what);
  }

  async #act(service: string, { action, cascade }: Extract<Keys, object>): Promise<void> {
    try {
      const path = servicePath(service, `/${action}${cascade ? "?cascade" : ""}`);
      const { status, body } = await this.#client.ask<{ services: string[]; detail?: string }>("POST", path, {
        expect: [409],
      });
      this.#message =
        status === 409
          ? `${body.detail} (here: X)`
          : `${action}: ${body.services.join(", ") || "nothing to do"}`;
    } catch (error) {
      this.#message = messageOf(error);
    }
    this.#draw();
  }

  async #openLog(service: string): Promise<void> {
    const log = { service, lines: [] as LineView[], close: new AbortController() };
    this.#log = log;
    try {
      const path = servicePath(service, `/logs?follow&tail=${LINES_MAX}`);
      for await (const { event, data } of this.#client.events(path, log.close.signal)) {
        if (event !== "line") continue;
        log.lines.push(data as LineView);
        if (log.lines.length > LINES_MAX) log.lines.shift();
        if (this.#log === log) this.#draw();
      }
    } catch (error) {
      this.#message = messageOf(error);
      this.#closeLog();
      this.#draw();
    }
  }

  #closeLog(): void {
    this.#log?.close.abort();
    this.#log = undefined;
  }
}
