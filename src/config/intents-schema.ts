// What may stand under an intent: the payload it takes, and the saga that carries it out by HTTP calls. A part of the schema in
// `schema.ts`, and built the same way; what takes more than one key to judge is in `intents.ts`.
import type * as zod from "zod/mini";
import { ATTEMPTS_MAX, STEP_DEFAULTS } from "./saga-definition.ts";
import type { Kit } from "./schema-kit.ts";

/** `svc://stock/reserve`: an instance of the service, whichever is ready. */
const SERVICE_URL = /^svc:\/\/[a-z][a-z0-9._-]{0,62}(\/\S*)?$/;

function isCallUrl(text: string): boolean {
  return SERVICE_URL.test(text) || (/^https?:\/\//.test(text) && URL.canParse(text));
}

function callOf({ z, key, preset, required, text, literal }: Kit) {
  const url = text.check(
    z.refine(isCallUrl, {
      error: 'expected a URL such as "http://127.0.0.1:7001/reserve" or "svc://stock/reserve"',
    }),
  );
  return z.strictObject({
    url: required(
      url,
      "Where: `http://…`, `https://…`, or `svc://SERVICE/PATH`. Redirects are not followed.",
    ),
    method: preset(z.enum(["POST", "GET", "PUT", "PATCH", "DELETE"]), "POST", "How."),
    headers: key(z.record(text, literal), "Headers added to those that every call has."),
  });
}

function branchOf(kit: Kit) {
  const { z, key, preset, text, span, spans, boolean, whole } = kit;
  const call = callOf(kit);
  return {
    name: key(text, "Of the step, unique in its saga."),
    execute: key(call, "The call that does it. 2xx: done, its JSON body is the step's output."),
    compensate: key(call, "The call that undoes it, also where it may never have had an effect."),
    verify: key(
      call,
      "The call that asks whether it is done: 200 with its output, or 404. For `inDoubt: verify`.",
    ),
    timeout: key(
      span,
      `How long one call may take (default: ${STEP_DEFAULTS.timeout}), or a signal may be waited for (default: without end).`,
    ),
    retry: key(
      z.strictObject({
        attempts: preset(whole(1, ATTEMPTS_MAX), STEP_DEFAULTS.attempts, "So many calls at most."),
        backoff: preset(
          spans,
          STEP_DEFAULTS.backoff,
          "`MIN..MAX`: the wait before another call grows from MIN to MAX.",
        ),
      }),
      "When a call was not done, or nobody knows.",
    ),
    inDoubt: key(
      z.enum(["idempotent", "verify", "manual"]),
      "When nobody knows whether a call had its effect: call again with the same `Idempotency-Key` (`idempotent`, the default), ask (`verify`), or park for an operator (`manual`).",
    ),
    pivot: key(boolean, "`true`: after this step there is no way back. One at most, and not in `parallel`."),
  };
}

function sagaOf(kit: Kit) {
  const { z, key, preset, required, name, span, filled } = kit;
  const branch = branchOf(kit);
  const step = z.strictObject({
    ...branch,
    parallel: key(z.array(z.strictObject(branch)), "Steps that run at the same time."),
    signal: key(filled, "It waits for this signal; the payload is its output."),
    sleep: key(span, "It waits for so long."),
  });
  return z.strictObject({
    version: preset(
      name,
      "1",
      "Raise it when steps change: sagas that run go on by the version that they began with.",
    ),
    timeout: key(span, "From its start to its pivot or its end; then it is undone. Default: none."),
    steps: required(
      z.array(step),
      "In order. Each is a call (`execute`), `parallel`, a `signal` or a `sleep`.",
    ),
  });
}

export function intentOf(kit: Kit) {
  return kit.z.strictObject({
    input: kit.key(kit.z.unknown(), "What its payload has to be: a JSON Schema."),
    saga: kit.required(sagaOf(kit), "The steps that carry it out."),
  });
}

export type RawIntent = zod.output<ReturnType<typeof intentOf>>;
export type RawSagaStep = RawIntent["saga"]["steps"][number];
export type RawBranch = NonNullable<RawSagaStep["parallel"]>[number];
export type RawCall = zod.output<ReturnType<typeof callOf>>;
