// How the words after a verb are read, and what its errors become.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { main } from "../../src/cli/cli.ts";
import { type Io, listOf, parseVerb, type Verb } from "../../src/cli/verb.ts";
import { UsageError } from "../../src/errors.ts";

const VERB: Verb = {
  name: "cook",
  common: true,
  summary: "cook something",
  takes: "[DISH…]",
  flags: {
    spice: { type: "string", short: "s", multiple: true, value: "NAME", help: "add it" },
    fast: { type: "boolean", help: "hurry" },
  },
  examples: [],
  run: async () => 0,
};

suite("parseVerb", () => {
  test("flags and arguments may stand in any order", () => {
    const args = parseVerb(VERB, ["soup", "-s", "salt", "--fast", "stew", "--spice=pepper"]);
    assert.deepEqual(args.positionals, ["soup", "stew"]);
    assert.equal(args.flags["fast"], true);
    assert.deepEqual(listOf(args, "spice"), ["salt", "pepper"]);
  });

  test("a flag that was not given is an empty list", () => {
    assert.deepEqual(listOf(parseVerb(VERB, []), "spice"), []);
  });

  test("after -- everything is an argument", () => {
    assert.deepEqual(parseVerb(VERB, ["--", "--fast", "-s"]).positionals, ["--fast", "-s"]);
  });

  test("--help wins over what is wrong beside it", () => {
    assert.deepEqual(parseVerb(VERB, ["--nonsense", "-h"]).flags, { help: true });
  });

  for (const [words, says] of [
    [["--fats"], /^unknown flag '--fats' for 'cook'; did you mean "--fast"\?; see 'haraka cook --help'$/],
    [["--no-fast"], /^unknown flag '--no-fast' for 'cook'/],
    [["-s"], /^-s needs a value: -s NAME$/],
    [["--spice", "--fast"], /^--spice needs a value: --spice NAME$/],
    [["--fast=very"], /^--fast takes no value \(got 'very'\)$/],
  ] as const) {
    test(`${words.join(" ")} is refused`, () => {
      assert.throws(
        () => parseVerb(VERB, words),
        (error) => error instanceof UsageError && says.test(error.message),
      );
    });
  }
});

test("main turns an error that nobody expected into 70 and its stack", async () => {
  let stderr = "";
  const io: Io = {
    stdout: () => {
      throw new TypeError("the pipe is on fire");
    },
    stderr: (text) => void (stderr += text),
    env: {},
    cwd: "/",
    main: "/src/main.ts",
  };
  assert.equal(await main(["version"], io), 70);
  assert.match(stderr, /^haraka: TypeError: the pipe is on fire\n\s+at /);
});
