// Signs a Mach-O executable ad hoc, in place of whatever signature it has (Apple's `mach-o/loader.h` and `cs_blobs.h`, version
// 0x20400). Bun does so for arm64 alone: what it makes for x64 keeps the signature of the Bun inside, and macOS kills a program whose
// pages are not those that were signed. Proves nobody's identity, and reads nothing of the program but its headers.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";

const HEADER_BYTES = 32;
const Command = { segment: 0x19, signature: 0x1d } as const;
const Magic = { macho: 0xfeedfacf, superBlob: 0xfade0cc0, directory: 0xfade0c02 } as const;
/** Ad hoc, and by a linker: `codesign` may put another one in its place. */
const FLAGS = 0x2_0002;
const VERSION = 0x2_0400;
const SHA256 = { type: 2, bytes: 32 } as const;
const PAGE_BITS = 12;
const PAGE_BYTES = 1 << PAGE_BITS;
/** A super blob with one entry, and the fixed part of a code directory. */
const SUPER_BYTES = 20;
const DIRECTORY_BYTES = 88;
/** What memory is mapped by, for those segments that are rounded: the larger of both machines' pages. */
const SEGMENT_BYTES = 0x4000;
const MAIN_BINARY = 1n;

/** Signs the file at `path` as `name`. Throws when it is no executable that has room for a signature. */
export async function signForMac(path: string, { name }: { name: string }): Promise<void> {
  await writeFile(path, signed(await readFile(path), { name }));
}

/** The same program, signed. */
export function signed(program: Buffer, { name }: { name: string }): Buffer {
  const { signature, link, text } = commandsOf(program);
  const start = program.readUInt32LE(signature + 8);
  const pages = Math.ceil(start / PAGE_BYTES);
  const hashesAt = DIRECTORY_BYTES + name.length + 1;
  const directoryBytes = hashesAt + pages * SHA256.bytes;
  const end = start + SUPER_BYTES + directoryBytes;

  // The headers first: they are signed, too.
  const code = Buffer.from(program.subarray(0, start));
  code.writeUInt32LE(end - start, signature + 12);
  const linkBytes = BigInt(end) - code.readBigUInt64LE(link + 40);
  code.writeBigUInt64LE(linkBytes, link + 48);
  code.writeBigUInt64LE(roundUp(linkBytes, BigInt(SEGMENT_BYTES)), link + 32);

  const superBlob = [Magic.superBlob, end - start, 1, 0, SUPER_BYTES];
  const directory = [Magic.directory, directoryBytes, VERSION, FLAGS, hashesAt, DIRECTORY_BYTES];
  const content = [0, pages, start, (SHA256.bytes << 24) | (SHA256.type << 16) | PAGE_BITS];
  const head = Buffer.alloc(SUPER_BYTES + DIRECTORY_BYTES);
  for (const [index, word] of [...superBlob, ...directory, ...content].entries())
    head.writeUInt32BE(word, index * 4);
  const executable = SUPER_BYTES + 64;
  head.writeBigUInt64BE(code.readBigUInt64LE(text + 40), executable);
  head.writeBigUInt64BE(code.readBigUInt64LE(text + 48), executable + 8);
  head.writeBigUInt64BE(MAIN_BINARY, executable + 16);

  const hashes = Array.from({ length: pages }, (_, page) =>
    createHash("sha256")
      .update(code.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES))
      .digest(),
  );
  return Buffer.concat([code, head, Buffer.from(`${name}\0`), ...hashes]);
}

/** Where in the file its load commands are that a signature has to do with. */
function commandsOf(program: Buffer): { signature: number; link: number; text: number } {
  if (program.readUInt32LE(0) !== Magic.macho) throw new Error("cannot sign: it is no 64-bit Mach-O file");
  const found = new Map<string, number>();
  let at = HEADER_BYTES;
  for (let left = program.readUInt32LE(16); left > 0; left -= 1) {
    const command = program.readUInt32LE(at);
    if (command === Command.signature) found.set("signature", at);
    if (command === Command.segment)
      found.set(program.toString("latin1", at + 8, at + 24).replace(/\0+$/, ""), at);
    at += program.readUInt32LE(at + 4);
  }
  const [signature, link, text] = ["signature", "__LINKEDIT", "__TEXT"].map((each) => found.get(each));
  if (signature === undefined || link === undefined || text === undefined)
    throw new Error("cannot sign: it has no room for a signature");
  return { signature, link, text };
}

function roundUp(value: bigint, unit: bigint): bigint {
  return ((value + unit - 1n) / unit) * unit;
}
