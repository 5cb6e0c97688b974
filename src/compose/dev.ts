// The composition root of `haraka dev`: a run that outlives what happens to its services, follows its files and listens to a
// keyboard. What is run, and how, is `cli.ts`; this adds who it is run for.
import { dependentsOn } from "../core/graph.ts";
import type { FleetMember } from "../core/member.ts";
import { called } from "../core/selection.ts";
import { contentOf, ABSENT } from "../drivers/file-content.ts";
import { fileGlob } from "../drivers/file-glob.ts";
import { onStopSignal } from "../drivers/signals.ts";
import { systemClock } from "../drivers/clock.ts";
import { Watcher } from "../drivers/watcher.ts";
import { exitCodeOf } from "../core/exit.ts";
import { ConfigError } from "../errors.ts";
import type { Log } from "../ports/log.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import { narrate } from "../runtime/narrate.ts";
import { runConfig } from "./cli.ts";
import type { RunEnd } from "./end-of-run.ts";
import { type DevConfig, devConfig, type DevReading } from "./dev-config.ts";
import { statusLines, storyOf } from "./dev-story.ts";
import type { Difference, Reading } from "./next-services.ts";
import type { DevHooks, DevSession } from "./dev-hooks.ts";
import type { ConfigRequest } from "./read-config.ts";

/** What somebody at the keyboard can do. */
export interface Desk {
  /** The services, in the order of their numbers, which count from 1. */
  names(): readonly string[];
  restart(names: readonly string[]): void;
  status(): void;
  say(text: string): void;
  quit(): void;
  /** As Ctrl-C does. */
  interrupt(): void;
  /** A service reads the standard input, so nobody else can. */
  isTaken: boolean;
}

export interface DevOptions {
  request: ConfigRequest;
  names: readonly string[];
  profiles: readonly string[];
  json: boolean;
  stderr(text: string): void;
  /** Listens to the keyboard, until the function it returns is called. */
  listen(desk: Desk): () => void;
}

/** Resolves when it has ended. Throws `UsageError` for a name that is no service, `StartupError` where no port can be had. */
export async function dev({ request, names, profiles, json, stderr, listen }: DevOptions): Promise<RunEnd> {
  const config = devConfig({ ...request, env: { ...request.env } });
  const first = await firstReading(config, stderr);
  if (typeof first === "number") return { exitCode: first };
  const session = new Follower(config, { cwd: request.cwd, listen });
  return runConfig(first.config, {
    names,
    profiles,
    env: first.env,
    json,
    readAgain: () => session.read(),
    dev: session,
  });
}

/** Waits until there is a config that can be read; an exit code when a signal comes first. */
async function firstReading(config: DevConfig, stderr: DevOptions["stderr"]): Promise<DevReading | number> {
  let signalled: Promise<string> | undefined;
  for (;;) {
    try {
      return config.read({ lenient: false });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      signalled ??= stopSignal();
      const message = `${error.message}\nharaka: nothing is started; trying again when one of these files changes\n`;
      const signal = await Promise.race([signalled, changed(config, () => stderr(message))]);
      if (signal !== undefined) return exitCodeOf({ code: null, signal });
    }
  }
}

/** Resolves when the config's files are other than they were read. `ready`: they are watched. */
function changed(config: DevConfig, ready: () => void): Promise<undefined> {
  return new Promise((resolve) => {
    const isOther = () => [...config.files()].some(([file, content]) => contentOf(file) !== content);
    const watcher = new Watcher({
      clock: systemClock(),
      onProblem: () => {},
      onTouched(paths) {
        if (!isOther() && paths.every((path) => config.files().has(path))) return;
        watcher.close();
        resolve(undefined);
      },
    });
    watcher.use({ files: config.files().keys(), trees: config.globs() });
    ready();
    if (!isOther()) return;
    watcher.close();
    resolve(undefined);
  });
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    const off = onStopSignal((signal) => {
      off();
      resolve(signal);
    });
  });
}

/** Follows the files of a run, and has what they change made anew. */
class Follower implements DevHooks {
  readonly #config: DevConfig;
  readonly #cwd: string;
  readonly #listen: DevOptions["listen"];
  #session: DevSession | undefined;
  #last: DevReading | undefined;
  #isTurning = false;
  #isDirty = false;

  constructor(config: DevConfig, { cwd, listen }: { cwd: string; listen: DevOptions["listen"] }) {
    this.#config = config;
    this.#cwd = cwd;
    this.#listen = listen;
  }

  /** For whoever asks for a reload the files are read, whether they have changed or not. */
  read(): DevReading {
    this.#last = this.#config.read({ lenient: this.#isTurning });
    return this.#last;
  }

  narrate = (event: RuntimeEvent, log: Log): void => {
    // It has been told, in more words, when it began.
    if (event.type === "config-reloaded") return;
    if (event.type === "reload-refused")
      return log.error(`nothing has changed:\n${event.problems.join("\n")}`);
    const isEnding = this.#session?.supervisor.ledger() !== undefined;
    if (event.type !== "service-state-changed" || isEnding) return narrate(event, log);
    const { service, from, to, reason } = event;
    const again = `it is tried again with the next change, or with: r ${service}`;
    if (to === "failed") return log.error(`failed: ${reason}; ${again}`, { service });
    const isByItself = to === "stopped" && ["starting", "started", "ready", "unready"].includes(from);
    if (isByItself) return log.warn(`stopped: ended by itself; ${again}`, { service });
    narrate(event, log);
  };

  widen(difference: Difference): Difference {
    const { supervisor, log } = this.#sessionOrThrow();
    const { changed, added, kept, next } = difference;
    const { specs } = next.running;
    const stateOf = (name: string) => supervisor.fleet.member(name);
    const dependents = dependentsOn(specs, changed).filter(
      (name) => !kept.has(name) && !added.includes(name) && !isHeld(stateOf(name)),
    );
    const retried = specs
      .filter(({ name, schedule }) => !schedule && isLost(stateOf(name)))
      .map(({ name }) => name)
      .filter((name) => ![...changed, ...dependents, ...kept.keys()].includes(name));
    const { changed: config = [], postponed = [] } = this.#last ?? {};
    log.info(storyOf({ difference, config, dependents, retried, cwd: this.#cwd }));
    for (const [service, problem] of kept) log.error(`stays as it is: ${problem}`, { service });
    if (postponed.length > 0)
      log.warn(`${postponed.join(", ")}: what has changed there counts from the next start on`);
    return { ...difference, changed: [...changed, ...dependents, ...retried] };
  }

  async attend(session: DevSession): Promise<() => void> {
    this.#session = session;
    const { clock, log, operator, present, files } = session;
    const watcher = new Watcher({
      clock,
      onTouched: (paths) => {
        if (paths.some((path) => this.#isOther(path))) void this.#turn(follow);
      },
      onProblem: (reason) => log.warn(reason),
    });
    const follow = () => watcher.use(this.#watched(present.reading));
    await present.learn();
    follow();
    const off = operator.on((event) => {
      if (!files.learnsByLoading || event.type !== "service-state-changed") return;
      if (event.to === "started" || event.to === "failed") void present.learn().then(follow);
    });
    const hush = this.#listen(this.#desk(session));
    return () => {
      hush();
      off();
      watcher.close();
    };
  }

  #sessionOrThrow(): DevSession {
    if (!this.#session) throw new Error("internal: nobody attends");
    return this.#session;
  }

  #watched({ running, contents }: Reading) {
    const names = new Set(running.specs.map(({ name }) => name));
    const patterns = running.config.services
      .filter(({ name }) => names.has(name))
      .flatMap(({ watch }) => watch);
    const imported = [...contents.values()].flatMap((each) => [...each.keys()]);
    return {
      files: [...this.#config.files().keys(), ...imported],
      trees: [...this.#config.globs(), ...[...new Set(patterns)].map(fileGlob)],
    };
  }

  /** A file that was only touched is not. */
  #isOther(path: string): boolean {
    const content = contentOf(path);
    const { contents } = this.#sessionOrThrow().present.reading;
    const known = [this.#config.files(), ...contents.values()].flatMap((each) => each.get(path) ?? []);
    return known.length === 0 ? content !== ABSENT : known.some((each) => each !== content);
  }

  /** One reload after the other, until nothing new has come. */
  async #turn(follow: () => void): Promise<void> {
    const { operator, supervisor } = this.#sessionOrThrow();
    this.#isDirty = true;
    if (this.#isTurning) return;
    this.#isTurning = true;
    while (this.#isDirty && !supervisor.ledger()) {
      this.#isDirty = false;
      await operator.reload();
      follow();
    }
    this.#isTurning = false;
  }

  #desk({ operator, supervisor, log, clock, present }: DevSession): Desk {
    const specs = () => present.reading.running.specs;
    const { services } = present.reading.running.config;
    const restart = async (names: readonly string[]) => {
      const { fleet } = supervisor;
      const own = names.flatMap((name) => called(fleet, name)).map(({ planned }) => planned.spec.name);
      const others = dependentsOn(specs(), own).filter((name) => !isHeld(fleet.member(name)));
      const outcome = await operator.act("restart", [...names, ...others], { cascade: false });
      if (!outcome.ok) log.error(outcome.reason);
    };
    return {
      names: () => specs().map(({ name }) => name),
      restart: (names) => void restart(names),
      status() {
        for (const line of statusLines(operator.services(), clock.wallTime())) log.info(line);
      },
      say: (text) => log.info(text),
      quit: () => operator.shutdown("stopping: asked to quit"),
      interrupt: () => supervisor.onSignal("SIGINT"),
      isTaken: services.some(({ run }) => run.type === "process" && run.stdin === "inherit"),
    };
  }
}

/** Somebody has stopped it. */
function isHeld(member: FleetMember | undefined): boolean {
  return member?.state.name === "stopped" && member.state.held === true;
}

/** It is down, and nobody wanted that. */
function isLost(member: FleetMember | undefined): boolean {
  const name = member?.state.name;
  return name === "failed" || name === "skipped" || (name === "stopped" && !isHeld(member));
}
