// User and group names to numbers, from the two files every Unix has. A number needs no file, so an image without
// /etc/passwd can still name its user; network directories (LDAP, NIS) are never asked.
import { readFileSync } from "node:fs";
import { messageOf } from "../../errors.ts";

export interface Ids {
  uid?: number;
  gid?: number;
}

/**
 * The ids of a user and group, each a name or a number. Without a group it is the user's primary one, and for a number that
 * /etc/passwd does not know the same number, never the runtime's own. Throws when a name is unknown.
 */
export function lookUpIds(
  { user, group }: { user?: string; group?: string },
  { passwdFile = "/etc/passwd", groupFile = "/etc/group" }: { passwdFile?: string; groupFile?: string } = {},
): Ids {
  const ids = user === undefined ? {} : userIds(user, passwdFile);
  return group === undefined ? ids : { ...ids, gid: groupId(group, groupFile) };
}

function userIds(user: string, file: string): Ids {
  if (isNumber(user)) {
    const entry = tryEntries(file).find(([, , uid]) => uid === user);
    return { uid: Number(user), gid: Number(entry?.[3] ?? user) };
  }
  const entry = entries(file, "user", user).find(([name]) => name === user);
  if (entry === undefined) throw new Error(`unknown user "${user}": not in ${file}; use a number`);
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

function groupId(group: string, file: string): number {
  if (isNumber(group)) return Number(group);
  const entry = entries(file, "group", group).find(([name]) => name === group);
  if (entry === undefined) throw new Error(`unknown group "${group}": not in ${file}; use a number`);
  return Number(entry[2]);
}

const isNumber = (name: string): boolean => /^\d+$/.test(name);

/** The colon-separated fields of each line. */
function entries(file: string, kind: "user" | "group", name: string): string[][] {
  try {
    return parse(file);
  } catch (error) {
    throw new Error(`unknown ${kind} "${name}": ${messageOf(error)}; use a number`, { cause: error });
  }
}

function tryEntries(file: string): string[][] {
  try {
    return parse(file);
  } catch {
    return [];
  }
}

const parse = (file: string): string[][] =>
  readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.split(":"));
