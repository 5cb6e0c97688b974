// From the values of each replica back to the one text with `${HARAKA_REPLICA}` that they all came from, for printing. It works on
// what is shown of them, and says so where there is no such text.
import { isMap, type RawMap } from "./path.ts";

const NUMBER = "${HARAKA_REPLICA}";
const DIFFERS = "(differs per replica)";

/** What stands for all of these: the first replica's value, the second's, and so on. */
export function templateOf(values: readonly unknown[]): unknown {
  const [first, second] = values;
  if (values.length < 2) return first;
  if (values.every(Array.isArray)) {
    const lists = values as unknown[][];
    if (lists.some(({ length }) => length !== lists[0]?.length)) return DIFFERS;
    return lists[0]?.map((_, index) => templateOf(lists.map((list) => list[index])));
  }
  if (values.every(isMap)) return templateOfMaps(values as RawMap[]);
  if (values.every((value) => value === first)) return first;
  const template = textOf(String(first), String(second));
  const fits = values.every(
    (value, index) => template.replaceAll(NUMBER, String(index + 1)) === String(value),
  );
  return fits ? template : DIFFERS;
}

function templateOfMaps(maps: readonly RawMap[]): RawMap {
  const keys = new Set(maps.flatMap(Object.keys));
  return Object.fromEntries([...keys].map((key) => [key, templateOf(maps.map((map) => map[key]))]));
}

/** The first two differ exactly where the number stands: in both it is one character. */
function textOf(first: string, second: string): string {
  const letters = first.split("");
  return letters.map((letter, index) => (letter === "1" && second[index] === "2" ? NUMBER : letter)).join("");
}
