// The write side of a store in Redis, as its read side sees it.
import type { Commit, CommitResult } from "./store.ts";

export interface RedisWrites {
  /** Names this replica in what it writes and tells. */
  readonly replica: string;
  commit(tenant: string, commit: Commit): Promise<CommitResult>;
  /** False once the log of that tenant is not what was acknowledged here: nothing of it is written until a restart. */
  isWritable(tenant: string): boolean;
  /** Called when a commit has written something of that tenant; `opens`: an execution is open after it, and nobody's. */
  onWritten(listener: (tenant: string, opens: boolean) => void): void;
  /** Resolves when nothing is under way. What waits for Redis to come back is turned away. */
  close(): Promise<void>;
}
