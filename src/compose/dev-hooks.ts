// What a run lets a developer's session have a hand in, so that `cli.ts` need not know what that is.
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { Operator } from "../runtime/operator.ts";
import type { Supervisor } from "../runtime/supervisor.ts";
import type { Difference } from "./next-services.ts";
import type { Present } from "./present.ts";
import type { ServiceFiles } from "./service-files.ts";

export interface DevHooks {
  /** Tells the story of what happens. */
  narrate(event: RuntimeEvent, log: Log): void;
  /** Makes more anew than what has changed. */
  widen(difference: Difference): Difference;
  /** Everything is made and nothing has started. Resolves with what is to be called at the end. */
  attend(session: DevSession): Promise<() => void>;
}

export interface DevSession {
  supervisor: Supervisor;
  operator: Operator;
  clock: Clock;
  log: Log;
  present: Present;
  files: ServiceFiles;
}
