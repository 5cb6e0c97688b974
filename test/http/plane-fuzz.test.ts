// Whatever is sent to the plane, it answers, and never with a fault of its own: every operation with bodies, ids, headers and queries
// of every kind.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PLANE_LIMITS } from "../../src/http/plane-limits.ts";
import { operationsOf } from "../../src/http/plane-operations.ts";
import { planeRig } from "./plane-rig.ts";

const OPERATIONS = operationsOf(PLANE_LIMITS);
const STATUSES = new Set([200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422]);

/** Now and then what is there. */
const segment = fc.oneof(
  fc.constantFrom(
    "session_1",
    "execution_3",
    "a",
    "k",
    "..",
    "%2e%2e",
    "%00",
    "%ff",
    "%",
    "__proto__",
    ":",
    "a%2Fb",
  ),
  fc.string({ unit: "binary" }).map((text) => encodeURIComponent(text.toWellFormed())),
  fc.string({ unit: "grapheme-ascii" }).map((text) => text.replace(/[?#/\\\s]/g, "")),
);
const headerValue = fc.oneof(
  fc.constantFrom(
    '"1"',
    "*",
    'W/"1"',
    '"1", "2"',
    '"',
    "",
    "application/json",
    "text/plain",
    "text/event-stream",
    "9".repeat(99),
  ),
  fc.string({ unit: fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)) }),
);
const headerName = fc.constantFrom(
  ..."if-match if-none-match idempotency-key content-type accept last-event-id haraka-tenant haraka-session authorization origin".split(
    " ",
  ),
);
const known = fc.record(
  {
    user: fc.anything(),
    context: fc.anything(),
    type: fc.constantFrom("order.place", "", 1),
    session: fc.constantFrom("session_1", "", null),
    payload: fc.jsonValue(),
    value: fc.jsonValue(),
    ttl: fc.constantFrom("1s", "0s", "x", 5),
    action: fc.constantFrom("retry", "undo"),
    name: fc.string(),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  { weight: 3, arbitrary: known.map((value) => JSON.stringify(value) ?? "") },
  fc.json(),
  fc.string({ unit: "binary" }),
  fc.uint8Array(),
  fc.nat(5000).map((depth) => "[".repeat(depth)),
);
const queries = fc.array(
  fc.tuple(
    fc.constantFrom(
      "limit",
      "cursor",
      "after",
      "type",
      "state",
      "user",
      "wait",
      "prefix",
      "session",
      "__proto__",
    ),
    fc.oneof(fc.constantFrom("1", "0", "-1", "1ms", "a,b", "%"), fc.string({ unit: "binary" })),
  ),
  { maxLength: 4 },
);

test("every request is answered, and none with 5xx", async () => {
  const request = fc.record({
    operation: fc.constantFrom(...OPERATIONS),
    method: fc.option(fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"), { freq: 5 }),
    segments: fc.array(segment, { minLength: 2, maxLength: 2 }),
    headers: fc.array(fc.tuple(headerName, headerValue), { maxLength: 3 }),
    queries,
    body,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
      const rig = planeRig();
      await rig.execution();
      for (const { operation, method, segments, headers, queries, body } of requests) {
        let at = 0;
        const path = operation.path.replace(/\{\w+\}/g, () => segments[at++] ?? "");
        const query = queries
          .map(([key, value]) => `${key}=${encodeURIComponent(value.toWellFormed())}`)
          .join("&");
        const as = method ?? operation.method;
        const sent = as === "GET" || as === "HEAD" ? {} : { body: body as BodyInit };
        const response = await rig.request(`${as} ${path}?${query}`, {
          ...sent,
          headers: { "content-type": "application/json", ...Object.fromEntries(headers) },
        });
        if (response.headers.get("content-type") === "text/event-stream") await response.body?.cancel();
        else await response.text();
        assert.ok(STATUSES.has(response.status), `${response.status}: ${rig.errors.join("\n")}`);
        assert.deepEqual(rig.errors, []);
      }
      assert.equal(rig.plane.tenantOf("default").waiting, 0);
    }),
    { numRuns: 150 },
  );
});
