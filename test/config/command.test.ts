import assert from "node:assert/strict";
import { test } from "node:test";
import { splitCommand } from "../../src/config/command.ts";

const SPLIT: Record<string, string[]> = {
  serve: ["serve"],
  "  serve  --port   80 ": ["serve", "--port", "80"],
  "sh -c 'a b'": ["sh", "-c", "a b"],
  'sh -c "a \'b\' \\"c\\""': ["sh", "-c", "a 'b' \"c\""],
  "a\\ b c": ["a b", "c"],
  "--x=y 'q'z": ["--x=y", "qz"],
  "a '' b": ["a", "", "b"],
  "a 'x | y' \"&& z\"": ["a", "x | y", "&& z"],
  "a #b c#d": ["a", "#b", "c#d"],
  "find *.ts -name ?": ["find", "*.ts", "-name", "?"],
  "grep 'a$'": ["grep", "a$"],
  "café 日本": ["café", "日本"],
};

for (const [text, argv] of Object.entries(SPLIT)) {
  test(`splitCommand splits ${text}`, () => {
    assert.deepEqual(splitCommand(text), { argv });
  });
}

/** What a shell would see, by the command that has it. */
const SHELL: Record<string, string> = {
  "a && b": "&&",
  "a || b": "||",
  "a; b": ";",
  "a | b": "|",
  "a > b": ">",
  "a < b": "<",
  "a &": "&",
  "(a)": "(",
  "a $HOME": "$HOME",
  "a ${HOME}": "$HOME",
  'a "$HOME"': "$HOME",
  "a `b`": "`",
};

for (const [text, what] of Object.entries(SHELL)) {
  test(`splitCommand refuses ${text}, and shows the list and \`shell: true\``, () => {
    const list = JSON.stringify(text.split(" ")).replaceAll(",", ", ");
    assert.deepEqual(splitCommand(text), {
      problem: `cannot run a command with "${what}" without a shell: if it is an argument, write a list, as ${list}; if a shell should see it, add \`shell: true\``,
    });
  });
}

test("splitCommand hides secrets in what it shows", () => {
  const result = splitCommand("a --password hunter2 --token=abc http://me:pw@host | b");
  assert.ok("problem" in result);
  assert.match(
    result.problem,
    /as \["a", "--password", "\(redacted\)", "--token=\(redacted\)", "http:\/\/\(redacted\)@host", "\|", "b"\]/,
  );
});

test("splitCommand refuses a quote that is not closed, and nothing", () => {
  const open = { problem: "cannot split the command: a quote is not closed" };
  for (const text of ["a 'b", 'a "b', "it's"]) assert.deepEqual(splitCommand(text), open);
  assert.deepEqual(splitCommand("  "), { problem: "cannot run an empty command" });
});
