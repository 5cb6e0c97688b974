// What must not be shown. A value is secret when it was read by `${file:…}` or from a variable whose name says so; a key or a
// flag that sounds secret hides what stands behind it. Only for showing: nothing here changes what a service gets.

export const REDACTED = "(redacted)";

const SECRET_NAME = /token|passw|secret|credential|authorization|cookie|key$/i;
const USERINFO = /(:\/\/)[^/@\s]+@/g;
const SECRET_FLAG = /^(-{0,2}[\w.-]*(?:token|pass|secret|credential|key)[\w.-]*)=.+/is;

/** Values shorter than this are hidden only where they stand alone: they occur in too many other words. */
const INSIDE_LENGTH_MIN = 4;

/** Whether what stands under this name (a variable, a key, a flag) should be hidden. */
export function soundsSecret(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** Whether the argument after this one should be hidden: `--password`, but not `--password=x`. */
export function isSecretFlag(argument: unknown): boolean {
  return typeof argument === "string" && /^-[^=]*$/.test(argument) && soundsSecret(argument);
}

/** Hides every secret in a text: known values, the userinfo of URLs, and `--password=…`. */
export function redact(text: string, secrets: ReadonlySet<string>): string {
  if (secrets.has(text) && text !== "") return REDACTED;
  let shown = text;
  for (const secret of secrets) {
    if (secret.length >= INSIDE_LENGTH_MIN) shown = shown.replaceAll(secret, REDACTED);
  }
  return shown.replace(USERINFO, `$1${REDACTED}@`).replace(SECRET_FLAG, (_, flag) => `${flag}=${REDACTED}`);
}
