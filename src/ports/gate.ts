// The door that shutdown closes: HTTP counts what is inside, the shutdown ledger refuses newcomers and waits for the rest.

export interface Gate {
  /** From now on answers carry `Connection: close`; requests are still served. */
  drain(): void;
  /** From now on a new request that is not for health gets 503 with `Connection: close`. */
  refuse(): void;
  /** Requests being served right now, health not counted. */
  inFlight(): number;
  /** Stops listening and cuts what is left. */
  close(): Promise<void>;
}
