// A script as it is sent: by its hash, and in full where Redis has forgotten it. What scripts do stands in scripts.ts and copy.ts.
import process from "node:process";

/** `sha` is the SHA-1 of `text`, by which Redis knows it. */
export interface RedisScript {
  text: string;
  sha: string;
}

export function scriptsOf<Name extends string>(texts: Record<Name, string>): Record<Name, RedisScript> {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const scripts = Object.entries<string>(texts).map(([name, text]) => [
    name,
    { text, sha: createHash("sha1").update(text).digest("hex") },
  ]);
  return Object.fromEntries(scripts) as Record<Name, RedisScript>;
}
