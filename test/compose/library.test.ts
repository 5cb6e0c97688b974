// The seed's README, translated: every example and every promise of it, against the library as a user imports it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Orchestrator, type RuntimeEvent, Service, TimeoutError, UsageError } from "../../src/mod.ts";
import { testClock, testRuntime } from "../../src/testing.ts";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

function orchestrator(options: ConstructorParameters<typeof Orchestrator>[0] = {}): Orchestrator {
  return new Orchestrator({ log: SILENT, exit: false, ...options });
}

/** A service that writes what happens to it into `story`. */
class Told extends Service<string[]> {
  constructor(name: string, story: string[]) {
    super(story);
    this.name = name;
  }
  override async startup(): Promise<void> {
    this.settings.push(`${this.name} up`);
  }
  override async shutdown(): Promise<void> {
    this.settings.push(`${this.name} down`);
  }
}

describe("the seed's quick start", () => {
  test("use, run, shutdown go through the states in order", async () => {
    const story: string[] = [];
    const orch = orchestrator();
    assert.equal(orch.state, "uninitialized");
    orch.use(new Told("my_service", story), { priority: 5, dependencies: [] });
    const states: string[] = [];
    orch.on((event) => event.type === "runtime-state-changed" && states.push(event.to));
    await orch.run({ port: 8000 }, {});
    assert.equal(orch.state, "started");
    await orch.shutdown();
    assert.deepEqual(states, ["starting", "started", "draining", "stopping", "destroyed"]);
    assert.deepEqual(story, ["my_service up", "my_service down"]);
  });

  test("basic orchestration: db → api up, api → db down", async () => {
    const story: string[] = [];
    const orch = orchestrator();
    orch.use(new Told("db", story), { priority: 10 });
    orch.use(new Told("api", story), { priority: 5, dependencies: ["db"] });
    await orch.run();
    await orch.shutdown();
    assert.deepEqual(story, ["db up", "api up", "api down", "db down"]);
  });

  test("readiness gating: waitForAllReady blocks until the service marks itself ready", async () => {
    const clock = testClock();
    class Cache extends Service {
      override name = "cache";
      override readonly readiness = "manual" as const;
      override async startup(): Promise<void> {
        await new Promise<void>((resolve) => this.runtime.clock.after(1_000, resolve));
        this.runtime.markReady(this.name);
      }
    }
    const orch = orchestrator({ clock });
    orch.use(new Cache());
    const running = orch.run();
    let ready = false;
    const waiting = orch.waitForAllReady({ timeoutMs: 5_000 }).then(() => (ready = true));
    await clock.advance(999);
    assert.equal(ready, false);
    await clock.advance(1);
    await Promise.all([running, waiting]);
    await orch.shutdown();
  });

  test("docs URLs are printed in two lines", async () => {
    const lines: string[] = [];
    const orch = orchestrator({ log: { ...SILENT, info: (message) => lines.push(message) } });
    await orch.run({ port: 8000 }, { docsUrl: "/docs" });
    const docs = lines.filter((line) => line.includes("/docs"));
    assert.deepEqual(docs, ["docs at http://localhost:8000/docs", "docs at http://127.0.0.1:8000/docs"]);
    await orch.shutdown();
  });
});

describe("the seed's troubleshooting", () => {
  test("a circle rejects run with its whole path", async () => {
    const orch = orchestrator();
    orch.use(new Told("a", []), { dependencies: ["b"] });
    orch.use(new Told("b", []), { dependencies: ["a"] });
    await assert.rejects(orch.run(), new UsageError("Circular dependency detected at a: a → b → a"));
  });

  test("an unknown dependency rejects run by name", async () => {
    const orch = orchestrator();
    orch.use(new Told("bar", []), { dependencies: ["foo"] });
    await assert.rejects(orch.run(), new UsageError("Unknown dependency 'foo' for service 'bar'"));
  });

  test("waitForAllReady names who is not ready", async () => {
    const clock = testClock();
    const orch = orchestrator({ clock, readiness: "manual" });
    orch.use(new Told("slow", []));
    await orch.run();
    const waiting = assert.rejects(orch.waitForAllReady({ timeoutMs: 5_000 }), (error) => {
      assert.ok(error instanceof TimeoutError);
      assert.match(error.message, /slow \(has not been marked ready\)/);
      return true;
    });
    await clock.advance(5_000);
    await waiting;
    await orch.shutdown();
  });
});

describe("what the original got wrong", () => {
  test("a dependent never starts before its dependency, whatever its priority", async () => {
    const story: string[] = [];
    const orch = orchestrator();
    orch.use(new Told("api", story), { priority: 100, dependencies: ["db"] });
    orch.use(new Told("db", story), { priority: -100 });
    await orch.run();
    assert.deepEqual(story, ["db up", "api up"]);
    await orch.shutdown();
  });

  test("a failed start stops what had started, and rejects with the first cause", async () => {
    const story: string[] = [];
    class Broken extends Service {
      override name = "broken";
      override startup(): void {
        throw new Error("no disk");
      }
    }
    const orch = orchestrator();
    orch.use(new Told("db", story));
    orch.use(new Broken(), { dependencies: ["db"] });
    await assert.rejects(orch.run(), { name: "StartupError", message: /'broken'.*no disk/, exitCode: 1 });
    assert.deepEqual(story, ["db up", "db down"]);
    assert.equal(orch.state, "destroyed");
    await orch.shutdown();
  });

  test("a second shutdown is the first one's promise", async () => {
    const story: string[] = [];
    const orch = orchestrator();
    orch.use(new Told("db", story));
    await orch.run();
    const reports = await Promise.all([orch.shutdown(), orch.shutdown()]);
    assert.equal(reports[0], reports[1]);
    assert.deepEqual(story, ["db up", "db down"]);
  });

  test("readiness drops before anything stops", async () => {
    const seen: boolean[] = [];
    class Watching extends Service {
      override name = "watching";
      override shutdown(): void {
        seen.push(orch.health.snapshot().ready);
      }
    }
    const orch = orchestrator();
    orch.use(new Watching());
    await orch.run();
    assert.equal(orch.health.snapshot().ready, true);
    await orch.shutdown();
    assert.deepEqual(seen, [false]);
  });
});

describe("Orchestrator", () => {
  test("use refuses a duplicate name, a missing one, and anything after run", async () => {
    const orch = orchestrator();
    orch.use(new Told("a", []));
    assert.throws(() => orch.use(new Told("a", [])), UsageError);
    assert.throws(() => orch.use(new Told("", [])), /it has no name/);
    await orch.run();
    assert.throws(() => orch.use(new Told("b", [])), /the runtime is started/);
    await orch.shutdown();
  });

  test("a second run, and one after shutdown, reject with UsageError", async () => {
    const orch = orchestrator();
    orch.use(new Told("a", []));
    await orch.run();
    await assert.rejects(orch.run(), UsageError);
    await orch.shutdown();
    await assert.rejects(orch.run(), UsageError);
  });

  test("shutdown before run resolves", async () => {
    const orch = orchestrator();
    await orch.shutdown();
    assert.equal(orch.state, "destroyed");
  });

  test("waitForAllReady may come before run", async () => {
    const orch = orchestrator();
    orch.use(new Told("a", []));
    const waiting = orch.waitForAllReady();
    await orch.run();
    await waiting;
    await orch.shutdown();
  });

  test("markReady throws for a name nobody has, and is a no-op when repeated", async () => {
    const orch = orchestrator({ readiness: "manual" });
    orch.use(new Told("a", []));
    await orch.run();
    assert.throws(() => orch.markReady("b"), UsageError);
    orch.markReady("a");
    orch.markReady("a");
    await orch.waitForAllReady();
    await orch.shutdown();
  });

  test("dependents of a manual service start after run has resolved", async () => {
    const story: string[] = [];
    class Manual extends Told {
      override readonly readiness = "manual" as const;
    }
    const orch = orchestrator();
    orch.use(new Manual("cache", story));
    orch.use(new Told("api", story), { dependencies: ["cache"] });
    await orch.run();
    assert.deepEqual(story, ["cache up"]);
    orch.markReady("cache");
    await orch.waitForAllReady();
    assert.deepEqual(story, ["cache up", "api up"]);
    await orch.shutdown();
  });

  test("background tasks start after the services and end with the shutdown", async () => {
    const story: string[] = [];
    const orch = orchestrator();
    orch.use(new Told("db", story));
    orch.addBackgroundTask(async (signal) => {
      story.push("task up");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      story.push("task down");
    });
    orch.addShutdownTask(() => story.push("last"));
    await orch.run();
    await orch.shutdown();
    assert.deepEqual(story, ["db up", "task up", "task down", "db down", "last"]);
  });

  test("a shutdown that throws does not keep the others from stopping, and is not a clean end", async () => {
    const story: string[] = [];
    class Broken extends Told {
      override async shutdown(): Promise<void> {
        throw new Error("stuck");
      }
    }
    const orch = orchestrator();
    orch.use(new Told("db", story));
    orch.use(new Broken("api", story), { dependencies: ["db"] });
    await orch.run();
    const { exitCode } = await orch.shutdown();
    assert.deepEqual(story, ["db up", "api up", "db down"]);
    assert.equal(exitCode, 1);
  });

  test("a shutdown that hangs is given up at its deadline and named", async () => {
    const clock = testClock();
    class Hanging extends Told {
      override shutdown(): Promise<void> {
        return new Promise(() => {});
      }
    }
    const story: string[] = [];
    const orch = orchestrator({ clock });
    orch.use(new Told("db", story));
    orch.use(new Hanging("api", story), { dependencies: ["db"], stopTimeoutMs: 2_000 });
    await orch.run();
    const ending = orch.shutdown();
    await clock.advance(2_000);
    const { stages } = await ending;
    assert.deepEqual(story, ["db up", "api up", "db down"]);
    assert.deepEqual(stages.find(({ stage }) => stage === "services")?.late, ["api (abandoned after 2.0s)"]);
  });

  test("a startup that hangs is given up at its deadline and rolled back", async () => {
    const clock = testClock();
    class Hanging extends Told {
      override startup(): Promise<void> {
        return new Promise(() => {});
      }
    }
    const orch = orchestrator({ clock });
    orch.use(new Hanging("api", []), { startTimeoutMs: 1_000, stopTimeoutMs: 500 });
    const running = assert.rejects(orch.run(), /'api': did not start within its startTimeout of 1s/);
    await clock.advance(1_500);
    await running;
  });

  test("a startup that is cancelled by shutdown is rolled back", async () => {
    const story: string[] = [];
    class Waiting extends Told {
      override startup(signal?: AbortSignal): Promise<void> {
        story.push(`${this.name} begins`);
        return new Promise((_resolve, reject) =>
          signal?.addEventListener("abort", () => reject(new Error("aborted"))),
        );
      }
    }
    const orch = orchestrator();
    orch.use(new Told("db", story));
    orch.use(new Waiting("api", story), { dependencies: ["db"] });
    const running = assert.rejects(orch.run(), { name: "StartupError" });
    while (!story.includes("api begins")) await Promise.resolve();
    await orch.shutdown();
    await running;
    assert.deepEqual(story, ["db up", "api begins", "api down", "db down"]);
  });

  test("get gives a declared peer, typed, and refuses any other", async () => {
    class Cache extends Service {
      override name = "cache";
      answer = 42;
    }
    const answers: unknown[] = [];
    class Api extends Service {
      override name = "api";
      override startup(): void {
        const typed: number = this.runtime.get(Cache).answer;
        answers.push(typed, this.runtime.get("cache"));
        assert.throws(() => this.runtime.get("other"), UsageError);
      }
    }
    const cache = new Cache();
    const orch = orchestrator();
    orch.use(cache);
    orch.use(new Told("other", []));
    orch.use(new Api(), { dependencies: ["cache"] });
    await orch.run();
    assert.deepEqual(answers, [42, cache]);
    await orch.shutdown();
  });

  test("1,000 services start in order", async () => {
    const story: string[] = [];
    const orch = orchestrator();
    for (let index = 0; index < 1_000; index++) orch.use(new Told(`s${index}`, story));
    await orch.run();
    assert.equal(story.length, 1_000);
    await orch.shutdown();
    assert.equal(story.length, 2_000);
  });
});

describe("haraka-runtime/testing", () => {
  test("testClock never goes back, also when it is turned twice at once", async () => {
    const clock = testClock();
    await Promise.all([clock.advance(100), clock.advance(10)]);
    assert.equal(clock.now(), 100);
  });

  test("testClock runs what falls due in order of its time", async () => {
    const clock = testClock();
    const story: number[] = [];
    clock.after(20, () => story.push(clock.now()));
    clock.after(10, () => {
      story.push(clock.now());
      clock.after(5, () => story.push(clock.now()));
    });
    const cancel = clock.after(12, () => story.push(-1));
    cancel();
    await clock.advance(30);
    assert.deepEqual(story, [10, 15, 20]);
    assert.equal(clock.now(), 30);
  });

  test("testRuntime starts services with their options and tells everything that happened", async () => {
    const story: string[] = [];
    let events: readonly RuntimeEvent[];
    {
      await using runtime = await testRuntime([
        [new Told("api", story), { dependencies: ["db"] }],
        new Told("db", story),
      ]);
      events = runtime.events;
      assert.deepEqual(story, ["db up", "api up"]);
    }
    assert.deepEqual(story, ["db up", "api up", "api down", "db down"]);
    const last = events.at(-1);
    assert.equal(last?.type === "runtime-state-changed" && last.to, "destroyed");
  });
});
