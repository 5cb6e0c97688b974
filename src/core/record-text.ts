// A record of the log as one line of JSON, whatever a module has put into its fields: a field that cannot be JSON costs nothing but
// itself.

export function recordText(record: Readonly<Record<string, unknown>>): string {
  const members = presentOf(record).map(([key, value]) => `${JSON.stringify(key)}:${fieldText(value)}`);
  return `{${members.join(",")}}`;
}

/** The fields that are not left undefined. */
export function presentOf(fields: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(fields).filter(([, value]) => value !== undefined);
}

/** JSON of anything; an error becomes its stack, and what JSON cannot hold becomes text. */
export function fieldText(value: unknown): string {
  try {
    return JSON.stringify(value, plain) ?? JSON.stringify(String(value));
  } catch {
    return JSON.stringify(Object.prototype.toString.call(value));
  }
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  return typeof value === "bigint" ? String(value) : value;
}
