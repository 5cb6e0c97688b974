// How the verbs that look into a store open it: the one that is named, or the default database of the state folder; only one that is
// there, that nobody holds, and that is sound.
import { stateFolderOf } from "../config/state-folder.ts";
import type { Store } from "../ports/store.ts";
import type { Io } from "./verb.ts";

/** Opens it, and closes it after `use`. Throws `StoreError` when it is held, missing, corrupt or newer. */
export async function withStore<T>(
  url: string | undefined,
  { env, cwd }: Pick<Io, "env" | "cwd">,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  const { openStoreAt } = await import("../compose/store-at.ts");
  const { systemClock } = await import("../drivers/clock.ts");
  const named = url ?? `sqlite:${stateFolderOf(env, { cwd })}/haraka.db`;
  const store = await openStoreAt(named, { clock: systemClock(), cwd, create: false, thorough: true });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
