// `${…}` inside one text. It works on scalars after YAML has been read, so a value can never become structure. Where values
// come from, and which of them are secret, is decided by its caller.

/** Where names lead. `undefined` from `variable` means not set. */
export interface Scope {
  variable(name: string): string | undefined;
  /** The content of a file, without its final newline; reports by itself what is wrong, and then returns "". */
  file(path: string): string;
  /** Takes a problem of this text, in words. */
  report(message: string): void;
  /** Takes the name of a variable that is not set and has no default. */
  unset(name: string): void;
}

const NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:[-?])([^]*))?$/;

/**
 * Replaces `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${file:/path}` and `$$`. A default applies to unset and to empty
 * variables and may itself contain references, as may a path. A `$` before anything else stays.
 */
export function expand(text: string, scope: Scope): string {
  let result = "";
  let rest = text;
  for (let dollar = rest.indexOf("$"); dollar !== -1; dollar = rest.indexOf("$")) {
    result += rest.slice(0, dollar);
    const next = rest[dollar + 1];
    if (next === "{") {
      const end = closingBrace(rest, dollar + 1);
      if (end === -1) {
        scope.report(
          `cannot resolve "${rest.slice(dollar)}": the closing "}" is missing; a "$" itself is written "$$"`,
        );
        return result;
      }
      result += valueOf(rest.slice(dollar + 2, end), scope);
      rest = rest.slice(end + 1);
    } else {
      result += "$";
      rest = rest.slice(dollar + (next === "$" ? 2 : 1));
    }
  }
  return result + rest;
}

function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let index = open; index < text.length; index++) {
    if (text[index] === "{") depth++;
    else if (text[index] === "}" && --depth === 0) return index;
  }
  return -1;
}

function valueOf(reference: string, scope: Scope): string {
  if (reference.startsWith("file:")) return scope.file(expand(reference.slice("file:".length), scope));
  const [, name, operator, operand = ""] = NAME.exec(reference) ?? [];
  if (name === undefined) {
    scope.report(
      `cannot resolve "\${${reference}}": write \${NAME}, \${NAME:-default}, \${NAME:?message} or \${file:/path}; a "$" itself is written "$$"`,
    );
    return "";
  }
  const value = scope.variable(name);
  if (operator === ":-") return value || expand(operand, scope);
  if (operator === ":?" && !value) {
    scope.report(`cannot resolve "\${${name}}": ${expand(operand, scope) || "it must be set and not empty"}`);
    return "";
  }
  if (value === undefined) scope.unset(name);
  return value ?? "";
}
