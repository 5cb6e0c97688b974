// The short way through the schema against zod: the same documents, read the same.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { accept } from "../../src/config/accept.ts";
import { diagnose } from "../../src/config/diagnose.ts";

const scalar = fc.oneof(
  fc.constantFrom("", " ", "a", "5s", "0s", "250ms", "999999h", "5", "-1", "0x10", "1e3", "true", "false"),
  fc.constantFrom("auto", "unlimited", "manual", "task", "ready", "completed", "null", "inherit", "SIGTERM"),
  fc.constantFrom(
    "http://a:1/x",
    "ftp://a",
    "a:80",
    "[::1]:80",
    "a:99999",
    "(",
    "[a-z]+",
    "json",
    "rollback",
  ),
  fc.constantFrom(0, 1, 3, 80, 1000, 1001, 65_536, -1, 1.5, Number.NaN, Infinity, 2 ** 60),
  fc.constantFrom(true, false, null, undefined),
);
const loose = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("a", "condition", "required", "http", "tcp"), scalar, {
    maxKeys: 2,
    noNullPrototype: true,
  }),
);

/** A map with some of the keys, mostly with fitting values, and now and then with a key that nobody knows. */
function mapOf(values: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> {
  const mostly = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      fc.oneof({ weight: 30, arbitrary: value }, { weight: 1, arbitrary: loose }),
    ]),
  );
  const known = fc.record(mostly, { requiredKeys: [], noNullPrototype: true });
  return fc.oneof(
    { weight: 30, arbitrary: known },
    { weight: 1, arbitrary: known.map((map) => ({ ...map, unheardOf: 1 })) },
    { weight: 1, arbitrary: loose },
  );
}

/** A map with any keys. */
function map(values: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, unknown>> {
  return fc.dictionary(fc.constantFrom("a", "b"), values, { noNullPrototype: true });
}

const duration = fc.constantFrom("5s", "1ms", "2m", "596h");
const texts = fc.array(fc.constantFrom("a", "b", "echo"), { maxLength: 3 });
const truth = fc.constantFrom<unknown>(true, false, "true", "false");
const probe = mapOf({
  http: fc.constant("http://127.0.0.1:1/health"),
  tcp: fc.constantFrom("a:80", "[::1]:80"),
  log: fc.constant("ready"),
  logPattern: fc.constant("^up$"),
  interval: duration,
  failureThreshold: fc.constantFrom<unknown>(1, "3"),
});
const dependency = mapOf({ condition: fc.constant("completed"), required: truth });
const dependencies = map(fc.oneof(fc.constantFrom("ready", "started"), dependency));
const service = mapOf({
  command: fc.oneof(fc.constant(["echo"]), fc.constant("echo hello")),
  entrypoint: fc.constant("./a.ts#A"),
  kind: fc.constant("task"),
  settings: loose,
  priority: fc.constantFrom<unknown>(0, -5, "7"),
  dependencies: fc.oneof(texts, dependencies),
  critical: truth,
  environment: map(fc.constantFrom("1", "x")),
  user: fc.constantFrom("nobody", "0"),
  stdin: fc.constantFrom("null", "inherit", null),
  stopSignal: fc.constantFrom("SIGTERM", "SIGQUIT"),
  stopTimeout: duration,
  startup: probe,
  readiness: fc.oneof(fc.constant("manual"), probe),
});
const runtime = mapOf({
  name: fc.constant("shop"),
  startup: mapOf({ timeout: duration, concurrency: fc.constantFrom<unknown>("unlimited", 4, "4") }),
  shutdown: mapOf({ budget: fc.constantFrom("auto", "20s"), drain: fc.constantFrom("auto", "0s") }),
  log: mapOf({ format: fc.constantFrom("auto", "json"), level: fc.constant("warn") }),
  exitCodeFrom: fc.constant("a"),
});
const http = fc.oneof(
  fc.constantFrom<unknown>(false, "false"),
  mapOf({ host: fc.constant("::"), port: fc.constantFrom(0, 8080, 65_535, 65_536) }),
);
const services = map(service);
/** What a config without them has from its built-in layer is always there. */
const document = mapOf({ include: texts, runtime }).chain((rest) =>
  fc.tuple(http, services).map(([server, all]) => ({ http: server, services: all, ...(rest as object) })),
);

test("accept takes what zod takes, makes the same of it, and takes nothing else", () => {
  const seen = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(document, (value) => {
      const judged = diagnose(value);
      seen["document" in judged ? "taken" : "refused"]++;
      assert.deepEqual(accept(value), "document" in judged ? judged.document : undefined);
    }),
    { numRuns: 3000 },
  );
  assert.ok(Math.min(seen.taken, seen.refused) > 300, `one-sided: ${JSON.stringify(seen)}`);
});
