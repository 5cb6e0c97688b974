// What `haraka logs -f` says of lines that were lost because it was too slow: not more often than somebody can read.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../src/cli/client.ts";
import type { StreamEvent } from "../../src/cli/event-stream.ts";
import { printLogs } from "../../src/cli/log-printer.ts";
import { testClock } from "../../src/compose/testing.ts";

/** What is said on standard error while the runtime tells this, a pause in milliseconds between numbers of lost lines. */
async function told(story: readonly ({ lost: number } | { pauseMs: number })[]): Promise<string[]> {
  const clock = testClock();
  const said: string[] = [];
  const says = (text: string): void => void said.push(`${clock.now()}: ${text.trim()}`);
  async function* events(): AsyncGenerator<StreamEvent> {
    for (const part of story) {
      if ("lost" in part) yield { event: "lost", data: part };
      else await clock.advance(part.pauseMs);
    }
  }
  const client = { events } as unknown as Client;
  const io = { stdout() {}, stderr: says, env: {}, cwd: "/", main: "" };
  await printLogs(client, { names: ["app"], follow: true, json: false, io, clock });
  // Nothing is said after the end.
  await clock.advance(10_000);
  return said;
}

const lost = (lines: number): { lost: number } => ({ lost: lines });

test("the first loss is said at once, and a flood of them once a second, added up", async () => {
  const flood = Array.from({ length: 25 }, () => [lost(2), { pauseMs: 100 }]).flat();
  assert.deepEqual(await told(flood), [
    "0: haraka: 2 lines lost: printing is too slow",
    "1000: haraka: 18 lines lost: printing is too slow",
    "2000: haraka: 20 lines lost: printing is too slow",
    "2500: haraka: 10 lines lost: printing is too slow",
  ]);
});

test("after a second without one a loss is said at once again, and nothing where nothing is lost", async () => {
  assert.deepEqual(await told([lost(1), { pauseMs: 5000 }, lost(3), { pauseMs: 999 }]), [
    "0: haraka: 1 lines lost: printing is too slow",
    "5000: haraka: 3 lines lost: printing is too slow",
  ]);
  assert.deepEqual(await told([{ pauseMs: 5000 }]), []);
});
