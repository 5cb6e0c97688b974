// The rules of routes, in Traefik's grammar (version 3): matchers with quoted values, joined by `&&`, `||`, `!` and parentheses. What
// Traefik would refuse is refused here, with the place in the text. It matches nothing itself: see `core/route-match.ts`.
import { didYouMean } from "./did-you-mean.ts";

/** What a rule says, `!` before `&&` before `||`. */
export type RuleNode =
  | { type: "and" | "or"; left: RuleNode; right: RuleNode }
  | { type: "not"; inner: RuleNode }
  | {
      type: "match";
      matcher: Matcher;
      values: readonly string[];
      /** Of the matchers that take a regular expression. */
      pattern?: RegExp;
    };

/** How many values each takes, least and most. */
const MATCHERS = {
  ClientIP: [1, 1],
  Header: [2, 2],
  HeaderRegexp: [2, 2],
  Host: [1, 1],
  HostRegexp: [1, 1],
  Method: [1, 1],
  Path: [1, 1],
  PathPrefix: [1, 1],
  PathRegexp: [1, 1],
  Query: [1, 2],
  QueryRegexp: [1, 2],
} as const satisfies Record<string, readonly [least: number, most: number]>;

export type Matcher = keyof typeof MATCHERS;

const LENGTH_MAX = 4096;
/** Of parentheses and `!`. */
const DEPTH_MAX = 32;

/** The rule, or what is wrong with it; `at` counts characters from 1. */
export function readRule(text: string): { match: RuleNode } | { problem: string; at: number } {
  if (text.length > LENGTH_MAX)
    return { problem: `it is longer than ${LENGTH_MAX} characters`, at: LENGTH_MAX + 1 };
  try {
    return { match: new Reader(text).rule() };
  } catch (error) {
    if (error instanceof RuleProblem) return { problem: error.message, at: error.at + 1 };
    throw error;
  }
}

class RuleProblem extends Error {
  readonly at: number;

  /** `at` counts from 0. */
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  rule(): RuleNode {
    const node = this.#or();
    if (this.#at < this.#text.length) this.#fail(`expected \`&&\`, \`||\` or the end, got ${this.#shown()}`);
    return node;
  }

  #or(): RuleNode {
    let left = this.#and();
    while (this.#take("||")) left = { type: "or", left, right: this.#and() };
    return left;
  }

  #and(): RuleNode {
    let left = this.#unary();
    while (this.#take("&&")) left = { type: "and", left, right: this.#unary() };
    return left;
  }

  #unary(): RuleNode {
    if (++this.#depth > DEPTH_MAX) this.#fail(`it is nested deeper than ${DEPTH_MAX} levels`);
    const node = this.#operand();
    this.#depth -= 1;
    return node;
  }

  #operand(): RuleNode {
    if (this.#take("!")) return { type: "not", inner: this.#unary() };
    const openedAt = this.#at;
    if (this.#take("(")) {
      const inner = this.#or();
      if (!this.#take(")")) this.#fail("this `(` is not closed", openedAt);
      return inner;
    }
    return this.#call();
  }

  #call(): RuleNode {
    const startAt = this.#at;
    const [name = ""] = /^\w*/.exec(this.#text.slice(startAt)) ?? [];
    if (name === "") this.#fail(`expected a matcher, as PathPrefix(\`/api\`), got ${this.#shown()}`);
    const matcher = Object.keys(MATCHERS).find((known): known is Matcher => known === name);
    if (matcher === undefined) this.#fail(unknownMatcher(name));
    this.#at += name.length;
    const openedAt = this.#at;
    if (!this.#take("(")) this.#fail(`expected \`(\` after ${name}, got ${this.#shown()}`);
    const values: { text: string; at: number }[] = [];
    if (!this.#take(")")) {
      do values.push(this.#value(name));
      while (this.#take(","));
      if (!this.#take(")")) this.#fail(`the \`(\` of ${name} is not closed`, openedAt);
    }
    const [least, most] = MATCHERS[matcher];
    if (values.length < least || values.length > most) {
      const wanted =
        least === most ? `${least} value${least === 1 ? "" : "s"}` : `${least} or ${most} values`;
      this.#fail(`${name} takes ${wanted}, got ${values.length}${OR_ADVICE[matcher] ?? ""}`, startAt);
    }
    for (const { text, at } of values) checkValue(matcher, text, at);
    const last = values.at(-1);
    const isPattern =
      matcher.endsWith("Regexp") && last && !(matcher === "QueryRegexp" && values.length === 1);
    return {
      type: "match",
      matcher,
      values: values.map(({ text }) => text),
      ...(isPattern && { pattern: patternOf(last.text, last.at) }),
    };
  }

  #value(matcher: string): { text: string; at: number } {
    this.#space();
    const at = this.#at;
    const quote = this.#text[at];
    if (quote !== "`" && quote !== '"') {
      const advice = quote === "'" ? "; Traefik does not take single quotes" : "";
      this.#fail(`expected a value in backticks, as ${matcher}(\`…\`), got ${this.#shown()}${advice}`);
    }
    const [written] = (quote === "`" ? /^`[^`]*`/ : /^"(?:[^"\\\n]|\\.)*"/).exec(this.#text.slice(at)) ?? [];
    if (written === undefined) this.#fail(`this ${quote === "`" ? "backtick" : "quote"} is not closed`);
    this.#at += written.length;
    const inner = written.slice(1, -1);
    const text = quote === "`" ? inner : unescaped(inner, at);
    if (text === "") this.#fail(`a value of ${matcher} is empty`, at);
    this.#space();
    return { text, at };
  }

  /** Whether this comes next; it is behind then, with the space after it. */
  #take(token: string): boolean {
    this.#space();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    this.#space();
    return true;
  }

  #space(): void {
    while (/[ \t]/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    if (/[\r\n]/.test(this.#text[this.#at] ?? ""))
      this.#fail("a rule stands in one line: in YAML write it after `>-`");
  }

  #shown(): string {
    const [word = ""] = /^(\w+|.)?/u.exec(this.#text.slice(this.#at)) ?? [];
    return word === "" ? "the end" : `"${word}"`;
  }

  #fail(message: string, at = this.#at): never {
    throw new RuleProblem(message, at);
  }
}

/** Where version 2 of Traefik took more. */
const OR_ADVICE: Partial<Record<Matcher, string>> = {
  Host: "; write Host(`a`) || Host(`b`)",
  Path: "; write Path(`/a`) || Path(`/b`)",
  PathPrefix: "; write PathPrefix(`/a`) || PathPrefix(`/b`)",
  Method: "; write Method(`GET`) || Method(`HEAD`)",
};

/** What version 2 of Traefik called them. */
const OLD_NAMES: Readonly<Record<string, Matcher>> = { Headers: "Header", HeadersRegexp: "HeaderRegexp" };

function unknownMatcher(name: string): string {
  const names = Object.keys(MATCHERS);
  const old = OLD_NAMES[name];
  const hint = old
    ? `; it is ${old} since Traefik 3`
    : didYouMean(name, names) || `; there is ${names.join(", ")}`;
  return `unknown matcher "${name}"${hint}`;
}

function checkValue(matcher: Matcher, text: string, at: number): void {
  if ((matcher === "Path" || matcher === "PathPrefix") && !text.startsWith("/"))
    throw new RuleProblem(`a path starts with "/", got "${text}"`, at);
  if (matcher.startsWith("Host") && /[^\0-\x7f]/.test(text))
    throw new RuleProblem(`a host is written in ASCII (xn--…), got "${text}"`, at);
  if (matcher === "Host" && /[/:@\s]/.test(text))
    throw new RuleProblem(`a host is a name, without scheme, port and path, got "${text}"`, at);
}

/** Double-quoted texts are Go's, of whose escapes two are of use. */
function unescaped(inner: string, at: number): string {
  const other = /\\(?![\\"])(?<=(?:^|[^\\])(?:\\\\)*\\)/.exec(inner);
  if (other)
    throw new RuleProblem(
      `in double quotes only \\\\ and \\" are escapes: write the value in backticks`,
      at + 1 + other.index,
    );
  return inner.replace(/\\([\\"])/g, "$1");
}

/** Go's regular expressions begin with their flags and name groups in a way of their own. */
function patternOf(text: string, at: number): RegExp {
  const [leading = "", flags = ""] = /^\(\?([ims]+)\)/.exec(text) ?? [];
  try {
    return new RegExp(text.slice(leading.length).replaceAll("(?P<", "(?<"), flags);
  } catch {
    throw new RuleProblem(`cannot read the regular expression "${text}"`, at);
  }
}
