// Files of variables: what they give, and that no line is dropped without a word.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readEnvFile } from "../../src/config/env-file.ts";
import { configFiles } from "../../src/drivers/config-files.ts";
import { memoryConfig } from "../fakes/config-files.ts";
import { problemsOf } from "./reading.ts";

function read(text: string) {
  return readEnvFile("/app/.env", {
    ...memoryConfig({ files: { ".env": text } }),
    parseEnv: configFiles.parseEnv,
  });
}

for (const [text, variables] of [
  ["# a comment\n\nA=1\n  B = two words  # and why\n", { A: "1", B: "two words" }],
  ["export A=1\r\nB=\r\n", { A: "1", B: "" }],
  [
    "KEY=\"-----BEGIN\nno NAME here\n-----END\"\nA='x\ny'\nB=`x\n\ny`\nC=1",
    {
      KEY: "-----BEGIN\nno NAME here\n-----END",
      A: "x\ny",
      B: "x\n\ny",
      C: "1",
    },
  ],
  ["\uFEFFA=1", { A: "1" }],
] as const) {
  test(`readEnvFile finds nothing wrong with ${JSON.stringify(text)}`, () => {
    assert.deepEqual(read(text), { variables, badLines: [] });
  });
}

for (const [text, badLines] of [
  ["A=1\nBAD LINE\nB=2", [2]],
  ["A: 1\nB=2\nexport C\n=3", [1, 3, 4]],
  ["TWO WORDS=1\nA=1", [1]],
  ['A="x\ny"\nBAD', [3]],
  ["A='never closed\nBAD\nB=1", [2]],
] as const) {
  test(`readEnvFile names the lines of ${JSON.stringify(text)} that give nothing`, () => {
    const content = read(text);
    assert.ok("badLines" in content);
    assert.deepEqual(content.badLines, badLines);
  });
}

test("a line of an envFile that gives nothing is said of it, without what stands there", () => {
  const files = {
    "runtime.yaml": "services:\n  a:\n    command: a\n    envFile: a.env\n",
    "a.env": "A=1\nPASSWORD: hunter2\nexport\n",
  };
  const says = "expected NAME=value, a comment that begins with #, or nothing";
  assert.deepEqual(problemsOf({ files }), [
    `runtime.yaml:4:14 services.a.envFile: a.env:2: ${says}`,
    `runtime.yaml:4:14 services.a.envFile: a.env:3: ${says}`,
  ]);
});
