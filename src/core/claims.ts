// Who owns which open execution, where only one process can: the one that holds the store. It is told of every execution that is
// opened and ended; a claim gives out what nobody owns under a token of its own, and only the latest token counts. It makes no
// tokens and asks nobody.

import type { Json } from "./json.ts";
import { partsOf } from "./key.ts";

/** One open execution. */
export interface OpenExecution {
  tenant: string;
  execution: string;
  /** What runs it; empty when that is not said. */
  definition: string;
}

/** Where the entries of open executions are. */
export const OPEN = "open/";

export const executionOf = (key: string): string => partsOf(key)[1] ?? "";

/** What such an entry says. */
export function openExecution(tenant: string, { key, value }: { key: string; value: Json }): OpenExecution {
  const { definition } = (value ?? {}) as { definition?: Json };
  return {
    tenant,
    execution: executionOf(key),
    definition: typeof definition === "string" ? definition : "",
  };
}

interface Held {
  open: OpenExecution;
  token: string;
}

export class Claims {
  readonly #held = new Map<string, Held>();
  /** By definition, the longest free first. */
  readonly #free = new Map<string, Map<string, OpenExecution>>();
  /** Where a free one stands, so that it is found when it ends. */
  readonly #definitions = new Map<string, string>();

  /** It is there, perhaps changed. Whoever owns it goes on owning it. */
  opened(open: OpenExecution): void {
    const id = idOf(open);
    const held = this.#held.get(id);
    if (held) held.open = open;
    else this.#setFree(id, open);
  }

  /** It is over: nobody owns it any more. */
  ended(execution: Omit<OpenExecution, "definition">): void {
    const id = idOf(execution);
    this.#held.delete(id);
    this.#takeFree(id);
  }

  /** It is open, and nobody's yet. */
  own({ token, ...execution }: { tenant: string; execution: string; token: string }): void {
    const id = idOf(execution);
    const open = this.#free.get(this.#definitions.get(id) ?? "")?.get(id);
    if (!open) return;
    this.#takeFree(id);
    this.#held.set(id, { open, token });
  }

  owns({ tenant, execution, token }: { tenant: string; execution: string; token: string }): boolean {
    return this.#held.get(idOf({ tenant, execution }))?.token === token;
  }

  claim({ known, limit, token }: ClaimOptions): { tenant: string; execution: string; token: string }[] {
    const claimed: { tenant: string; execution: string; token: string }[] = [];
    for (const definition of known ?? [...this.#free.keys()]) {
      for (const [id, open] of this.#free.get(definition) ?? []) {
        if (claimed.length >= limit) return claimed;
        const held = { open, token: token() };
        this.#takeFree(id);
        this.#held.set(id, held);
        claimed.push({ tenant: open.tenant, execution: open.execution, token: held.token });
      }
    }
    return claimed;
  }

  release(claim: { tenant: string; execution: string; token: string }): void {
    if (!this.owns(claim)) return;
    const id = idOf(claim);
    const held = this.#held.get(id);
    this.#held.delete(id);
    if (held) this.#setFree(id, held.open);
  }

  #setFree(id: string, open: OpenExecution): void {
    this.#takeFree(id);
    const { definition } = open;
    const free = this.#free.get(definition) ?? new Map<string, OpenExecution>();
    this.#free.set(definition, free.set(id, open));
    this.#definitions.set(id, definition);
  }

  #takeFree(id: string): void {
    const definition = this.#definitions.get(id);
    if (definition === undefined) return;
    this.#definitions.delete(id);
    const free = this.#free.get(definition);
    free?.delete(id);
    if (free?.size === 0) this.#free.delete(definition);
  }
}

export interface ClaimOptions {
  /** Absent: any. */
  known?: readonly string[] | undefined;
  limit: number;
  /** Makes a token that nobody can guess, new at each call. */
  token: () => string;
}

/** No tenant and execution are taken for others: the length says where the first ends. */
const idOf = ({ tenant, execution }: { tenant: string; execution: string }): string =>
  `${tenant.length}:${tenant}${execution}`;
