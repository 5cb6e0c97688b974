// What every clock owes its caller. `turn` lets that much time pass on it: by waiting, or by turning its hands.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Clock } from "../../src/ports/clock.ts";

export function clockContract(
  name: string,
  make: () => { clock: Clock; turn: (ms: number) => Promise<void> | void },
): void {
  describe(name, () => {
    test("after runs once, in the order of the delays, with the time passed", async () => {
      const { clock, turn } = make();
      const start = clock.now();
      const ran: string[] = [];
      const both = Promise.withResolvers<void>();
      clock.after(20, () => {
        ran.push("late");
        both.resolve();
      });
      clock.after(5, () => ran.push("early"));
      await turn(40);
      await both.promise;
      assert.deepEqual(ran, ["early", "late"]);
      // A runtime's timer may be early by the rounding of a millisecond.
      assert.ok(clock.now() - start >= 19, `${clock.now() - start} ms`);
    });

    test("after does nothing once cancelled", async () => {
      const { clock, turn } = make();
      const cancel = clock.after(5, () => assert.fail("ran"));
      cancel();
      cancel();
      const later = Promise.withResolvers<void>();
      clock.after(15, later.resolve);
      await turn(30);
      await later.promise;
    });

    test("after takes delays longer than a timer does", async () => {
      const { clock, turn } = make();
      const cancels = [2 ** 31, 2 ** 40, Infinity].map((delayMs) =>
        clock.after(delayMs, () => assert.fail("ran")),
      );
      const later = Promise.withResolvers<void>();
      clock.after(10, later.resolve);
      await turn(20);
      await later.promise;
      for (const cancel of cancels) cancel();
    });

    test("wallTime is a time of our days and never behind itself", () => {
      const { clock } = make();
      const before = clock.wallTime();
      assert.ok(before > Date.UTC(2020, 0, 1) && before < Date.UTC(2100, 0, 1));
      assert.ok(clock.wallTime() >= before);
    });
  });
}
