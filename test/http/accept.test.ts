// Which form of an answer a client would rather have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { prefers } from "../../src/http/accept.ts";

const DRAFT = "application/health+json";

const CASES: [accept: string | undefined, preferred: boolean][] = [
  [undefined, false],
  ["", false],
  ["*/*", false],
  ["application/*", false],
  ["application/json", false],
  [DRAFT, true],
  ["Application/Health+JSON", true],
  [`${DRAFT};charset=utf-8`, true],
  [`${DRAFT}, application/json`, true],
  [`application/json, ${DRAFT}`, true],
  [`${DRAFT};q=0.9, text/html`, true],
  [`text/html, ${DRAFT};q=0.9, */*;q=0.8`, true],
  [`${DRAFT};q=0.5, application/json`, false],
  [`${DRAFT};q=0.5, */*`, false],
  [`${DRAFT};q=0.5, application/*`, false],
  [`${DRAFT};q=0.5, application/json;q=0.1, */*`, true],
  [`${DRAFT};q=0`, false],
  [`${DRAFT} ; Q=0 , application/json;q=0`, false],
  [`${DRAFT}+more`, false],
  [`text/html;x="${DRAFT}"`, false],
];

for (const [accept, preferred] of CASES) {
  test(`Accept: ${accept ?? "(none)"} is ${preferred ? "" : "not "}for ${DRAFT}`, () => {
    const headers = accept === undefined ? {} : { accept };
    assert.equal(prefers(new Request("http://a", { headers }), DRAFT), preferred);
  });
}

test("of two that are liked the same, what is asked for by name is taken, whichever is the other", () => {
  const [lines, events] = ["application/x-ndjson", "text/event-stream"] as const;
  const asked = (accept: string) => {
    const request = new Request("http://a", { headers: { accept } });
    return [prefers(request, lines, { otherwise: events }), prefers(request, events, { otherwise: lines })];
  };
  assert.deepEqual(asked(`${lines}, ${events}`), [true, true]);
  assert.deepEqual(asked(`${lines}, ${events};q=0.3`), [true, false]);
  assert.deepEqual(asked(`${lines};q=0.3, ${events}`), [false, true]);
  assert.deepEqual(asked(lines), [true, false]);
});
