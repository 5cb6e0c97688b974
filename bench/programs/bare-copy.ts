// What the log is compared to: `bare-copy COUNT COMMAND…` starts the command so many times and copies what comes out to its own
// output, as it comes. No lines, no names, no JSON, no ring: only what cannot be left out.
import { write } from "node:fs";

const [count = "1", ...command] = process.argv.slice(2);

async function copy(): Promise<void> {
  const child = Bun.spawn(command, { stdout: "pipe", stdin: "ignore", detached: true });
  const reader = child.stdout.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    for (let left = next.value; left.length > 0;) left = left.subarray(await writeSome(left));
  }
}

function writeSome(bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) =>
    write(1, bytes, (error, taken) => (error ? reject(error) : resolve(taken))),
  );
}

await Promise.all(Array.from({ length: Number(count) }, copy));
process.exit(0);
