// Where the health of a runtime is, as a tag of what it has in the registry: a proxy asks there, also for a service that has a port of
// its own.

const PREFIX = "health:";

export function healthTags(port: number | undefined): string[] {
  return port === undefined ? [] : [`${PREFIX}${port}`];
}

/** `undefined`: it is nowhere. */
export function healthPortOf(tags: readonly string[]): number | undefined {
  const [tag] = tags.filter((each) => /^health:\d+$/.test(each));
  return tag === undefined ? undefined : Number(tag.slice(PREFIX.length));
}
