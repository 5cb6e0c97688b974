// The points at which a test, or an operator who wants to see it, can have this process killed: what is to survive a crash is
// crashed there. All labels stand here, so that they can be listed; a point that is not armed costs a call of an empty function.

export const FAILPOINTS = {
  "store-create": "a new database is complete, and does not have its name yet",
  "store-migrate": "a database has been changed to a newer schema, before its COMMIT",
  "store-begin": "a batch of writes is about to begin",
  "store-write": "a batch is written, before its COMMIT",
  "store-commit": "a batch is durable, and none of it acknowledged",
  "intent-commit": "an intent is about to be written",
  "intent-durable": "an intent is durable, and nobody has been told",
  "execution-claimed": "a start has claimed an execution, and done nothing with it",
  "execution-commit": "what an execution decides is about to be written",
  "execution-durable": "what an execution has decided is durable, and no call of it has gone out",
  "call-out": "a call of a step or a function is about to go out",
  "call-answered": "a call has come to its end, and nothing of that is written",
  "migrate-begun": "the target of a migration is marked as its own, and nothing is copied",
  "migrate-part": "a part of a migration is durable, with how far it has come",
  "migrate-copied": "everything is copied, and the mark is still there",
} as const;

export type FailpointLabel = keyof typeof FAILPOINTS;

/** Called whenever that point is reached. */
export type Failpoint = (label: FailpointLabel) => void;
