// A service that runs several times: the names of its replicas, and each with values of its own. What `${HARAKA_REPLICA}` stands
// for is resolved elsewhere; nothing here reads a file.
import type { RawService } from "./service-schema.ts";

/** One service as it will run. */
export interface Replica {
  name: string;
  /** The key in the file. */
  group: string;
  /** Counts from 1. */
  replica: number;
  /** How many there are. */
  of: number;
  raw: RawService;
}

/** Which keys of a config have replicas, and how many; `undefined`: that is not known, because what is written is wrong. */
export type ReplicaCounts = ReadonlyMap<string, number | undefined>;

/** `api`, or `api-1` and so on when there are several. */
export function replicaName(group: string, { replica, of }: { replica: number; of: number }): string {
  return of === 1 ? group : `${group}-${replica}`;
}

/** The key of which this is the name of one replica. */
export function groupOfReplica(name: string, counts: ReplicaCounts): string | undefined {
  const [, group = "", number] = /^(.+)-([1-9]\d*)$/.exec(name) ?? [];
  if (!counts.has(group)) return undefined;
  const count = counts.get(group);
  return count === undefined || (count > 1 && Number(number) <= count) ? group : undefined;
}

/** Every service once per replica, in the order of the files. `own` has the values of a later replica where they are different. */
export function expandReplicas(
  services: Readonly<Record<string, RawService>>,
  own: (group: string, replica: number) => RawService | undefined,
): Replica[] {
  return Object.entries(services).flatMap(([group, first]) => {
    const of = first.replicas;
    return Array.from({ length: of }, (_, index): Replica => {
      const replica = index + 1;
      const raw = replica === 1 ? first : (own(group, replica) ?? first);
      return { name: replicaName(group, { replica, of }), group, replica, of, raw };
    });
  });
}
