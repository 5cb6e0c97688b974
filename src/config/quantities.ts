// Times and sizes as a config writes them, each one schema shared by the keys that use it: durations, two of them, a count within one,
// bytes. Every one has its unit in the text and comes out in the smallest.
import type { Zod } from "./scalars.ts";

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** A timer of a JavaScript runtime cannot wait longer. */
const DURATION_MAX_MS = 2 ** 31 - 1;

function toMs(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  return Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

function wrongDuration({ input }: { input?: unknown }): string {
  const expected = "expected a duration such as 250ms, 5s, 2m or 1h";
  const bare = /^\d+$/.test(String(input));
  return bare
    ? `${expected}, got ${String(input)} without a unit: write ${String(input)}s or ${String(input)}ms`
    : expected;
}

/** `100ms..10s`: the waits between restarts. */
const SPANS = /^(\d+(?:ms|s|m|h))\.\.(\d+(?:ms|s|m|h))$/;

function toSpans(text: string): { minMs: number; maxMs: number } {
  const [, from = "", to = ""] = SPANS.exec(text) ?? [];
  return { minMs: toMs(from), maxMs: toMs(to) };
}

/** `5/1m`: so many times within so long. */
const RATE = /^(\d{1,6})\/(\d+(?:ms|s|m|h))$/;

function toRate(text: string): { count: number; windowMs: number } {
  const [, count, window = ""] = RATE.exec(text) ?? [];
  return { count: Number(count), windowMs: toMs(window) };
}

const UNIT_BYTES = { B: 1, KB: 1000, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;
const SIZE = /^(\d+)(B|KB|MB|GB|KiB|MiB|GiB)$/;

function toBytes(text: string): number {
  const [, amount, unit] = SIZE.exec(text) ?? [];
  return Number(amount) * UNIT_BYTES[unit as keyof typeof UNIT_BYTES];
}

function wrongSize({ input }: { input?: unknown }): string {
  const expected = "expected a size such as 64KiB, 10MiB or 1GiB";
  const bare = /^\d+$/.test(String(input));
  return bare ? `${expected}, got ${String(input)} without a unit: write ${String(input)}B` : expected;
}

/** As it would be written. */
export function durationText(ms: number | "auto"): string {
  if (ms === "auto") return ms;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** As it would be written. */
export function sizeText(bytes: number): string {
  const units = ["GiB", "MiB", "KiB"] as const;
  const unit = units.find((each) => bytes % UNIT_BYTES[each] === 0) ?? "B";
  return `${bytes / UNIT_BYTES[unit]}${unit}`;
}

/** All of them, as schemas of `z`. */
export function quantitiesOf(z: Zod) {
  /** `250ms`, `5s`, `2m`, `1h`, at most 596h; becomes milliseconds. */
  const duration = z.pipe(
    z.string({ error: wrongDuration }).check(
      z.regex(/^\d+(ms|s|m|h)$/, { error: wrongDuration }),
      z.refine((text) => !(toMs(text) > DURATION_MAX_MS), { error: "expected at most 596h" }),
    ),
    z.transform(toMs),
  );

  /** A duration that is not 0. */
  const span = duration.check(z.minimum(1, { error: "expected more than 0s" }));

  /** `100ms..10s`, the first not 0 and not above the second; becomes `{minMs, maxMs}`. */
  const spans = z.pipe(
    z
      .string({ error: "expected two durations such as 100ms..10s" })
      .check(z.regex(SPANS, { error: "expected two durations such as 100ms..10s" })),
    z.transform(toSpans).check(
      z.refine(({ minMs }) => minMs > 0, { error: "expected more than 0ms before the `..`" }),
      z.refine(({ minMs, maxMs }) => minMs <= maxMs, { error: "expected the shorter duration first" }),
      z.refine(({ maxMs }) => maxMs <= DURATION_MAX_MS, { error: "expected at most 596h" }),
    ),
  );

  /** `5/1m`, neither of them 0; becomes `{count, windowMs}`. */
  const rate = z.pipe(
    z
      .string({ error: "expected a count within a duration such as 10/1m" })
      .check(z.regex(RATE, { error: "expected a count within a duration such as 10/1m" })),
    z.transform(toRate).check(
      z.refine(({ count }) => count > 0, {
        error: "expected a count of at least 1; `policy: never` is for none",
      }),
      z.refine(({ windowMs }) => windowMs > 0, { error: "expected more than 0s after the `/`" }),
      z.refine(({ windowMs }) => windowMs <= DURATION_MAX_MS, { error: "expected at most 596h" }),
    ),
  );

  /** `64KiB`, `10MiB`, `1GiB`, also `500B`, and `64KB` and so on by thousands; 1KiB at least; becomes bytes. */
  const size = (max: "1GiB" | "1024GiB") =>
    z.pipe(
      z.string({ error: wrongSize }).check(z.regex(SIZE, { error: wrongSize })),
      z
        .transform(toBytes)
        .check(
          z.minimum(1024, { error: "expected at least 1KiB" }),
          z.maximum(toBytes(max), { error: `expected at most ${max}` }),
        ),
    );

  return { duration, rate, size, span, spans };
}
