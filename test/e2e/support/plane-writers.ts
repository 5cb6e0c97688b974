// Programs that use a plane while its runtime is killed under them, and remember what they were told: a write that was answered has
// happened, one that was not may have. From that follows what has to be there after the next start, and what may be.
import assert from "node:assert/strict";
import type { Random } from "../../simulation/random.ts";
import type { Answer, PlaneClient } from "./plane.ts";

interface KnownSession {
  /** Of the last patch that was answered, and of the last that was tried. */
  patched: number;
  tried: number;
  /** Tried; answered. */
  closing: boolean;
  closed: boolean;
}

interface KnownIntent {
  type: string;
  session: string;
  n: number;
  /** Once it was answered. */
  execution?: string;
}

const PAGE = 1000;
/** So much of the log is read again after every start, to see that it is still the same. */
const LOG_AGAIN = 200;

export class Ledger {
  readonly #users = new Set<string>();
  readonly #sessions = new Map<string, KnownSession>();
  readonly #intents = new Map<string, KnownIntent>();
  readonly #state = new Map<string, { answered: number; tried: number }>();
  /** The ids of the log's records, from 1 on. */
  readonly #log: string[] = [];
  /** So many writes were answered. */
  answered = 0;

  /** The ids of the executions that were answered. */
  get executions(): string[] {
    return [...this.#intents.values()].flatMap(({ execution }) => execution ?? []);
  }

  get events(): number {
    return this.#log.length;
  }

  /** Writes one thing after another until nobody answers. `written` is called after each. */
  async write(plane: PlaneClient, { name, random, written, isGone }: Writing): Promise<void> {
    let session = "";
    try {
      session = await this.#create(plane, `${name}-${this.#users.size}`);
      for (;;) {
        written();
        const what = random.weigh({ state: 4, intent: 4, again: 1, patch: 3, close: 1 });
        if (what === "state") await this.#put(plane, name);
        else if (what === "intent")
          await this.#submit(plane, { key: `${name}-${this.#intents.size}`, session });
        else if (what === "again") await this.#again(plane, random);
        else if (what === "patch") await this.#patch(plane, session);
        else {
          await this.#close(plane, session);
          session = await this.#create(plane, `${name}-${this.#users.size}`);
        }
      }
    } catch (error) {
      // The runtime is gone; whatever else it is, it is wrong.
      if (error instanceof assert.AssertionError || !isGone()) throw error;
    }
  }

  async #create(plane: PlaneClient, user: string): Promise<string> {
    this.#users.add(user);
    const { body } = this.#ok(await plane.ask("POST /sessions", { json: { user } }), 201);
    this.#sessions.set(body.id, { patched: 0, tried: 0, closing: false, closed: false });
    return body.id;
  }

  async #patch(plane: PlaneClient, id: string): Promise<void> {
    const session = this.#sessionOf(id);
    const n = ++session.tried;
    this.#ok(await plane.ask(`PATCH /sessions/${id}`, { json: { context: { n } } }), 200);
    session.patched = n;
  }

  async #close(plane: PlaneClient, id: string): Promise<void> {
    const session = this.#sessionOf(id);
    session.closing = true;
    this.#ok(await plane.ask(`DELETE /sessions/${id}`), 204);
    session.closed = true;
  }

  /** Counts up, by compare-and-set; each writer has its own key. */
  async #put(plane: PlaneClient, key: string): Promise<void> {
    const known = this.#state.get(key) ?? { answered: 0, tried: 0 };
    this.#state.set(key, known);
    const n = known.answered + 1;
    known.tried = n;
    const headers: Record<string, string> =
      n === 1 ? { "if-none-match": "*" } : { "if-match": `"${known.answered}"` };
    this.#ok(await plane.ask(`PUT /state/n/${key}`, { json: { value: n }, headers }), n === 1 ? 201 : 200);
    known.answered = n;
  }

  async #submit(plane: PlaneClient, { key, session }: { key: string; session: string }): Promise<void> {
    const n = this.#intents.size;
    const intent: KnownIntent = { type: n % 5 === 0 ? "note" : "order.place", session, n };
    this.#intents.set(key, intent);
    await this.#send(plane, key, intent);
  }

  /** One that was submitted before is the same execution, answered or not. */
  async #again(plane: PlaneClient, random: Random): Promise<void> {
    const all = [...this.#intents];
    const [key, intent] = all[random.between(0, all.length)] ?? [];
    if (key === undefined || !intent || this.#sessions.get(intent.session)?.closing) return;
    await this.#send(plane, key, intent);
  }

  async #send(plane: PlaneClient, key: string, intent: KnownIntent): Promise<void> {
    const { type, session, n } = intent;
    const asked = { json: { type, session, payload: { n } }, headers: { "idempotency-key": key } };
    const { body } = this.#ok(await plane.ask("POST /intents", asked), 202);
    assert.equal(body.id, intent.execution ?? body.id, `${key} became another execution`);
    intent.execution = body.id;
  }

  #ok(answer: Answer, status: number): Answer {
    assert.equal(answer.status, status, answer.text);
    this.answered++;
    return answer;
  }

  #sessionOf(id: string): KnownSession {
    const session = this.#sessions.get(id);
    assert.ok(session);
    return session;
  }

  /** Everything that was answered is there, and nothing that was never asked for. */
  async check(plane: PlaneClient): Promise<void> {
    await this.#checkLog(plane);
    await this.#checkSessions(plane);
    await this.#checkState(plane);
    const executions = new Map((await all(plane, "/executions")).map((each) => [each.id, each]));
    for (const [key, { execution, n }] of this.#intents)
      if (execution !== undefined) assert.equal(executions.get(execution)?.payload.n, n, `${key} is lost`);
    const submitted = new Set([...this.#intents.values()].map(({ n }) => n));
    for (const { payload } of executions.values())
      assert.ok(submitted.has(payload.n), `${payload.n} was made up`);
    assert.ok(executions.size <= this.#intents.size, "an intent became two executions");
  }

  async #checkSessions(plane: PlaneClient): Promise<void> {
    const found = new Map((await all(plane, "/sessions")).map((each) => [each.id, each]));
    for (const { user } of found.values()) assert.ok(this.#users.has(user), `${user} was made up`);
    for (const [id, { patched, tried, closing, closed }] of this.#sessions) {
      const n = found.get(id)?.context.n ?? 0;
      if (closed) assert.ok(!found.has(id), `${id} was closed, and is there`);
      else if (!closing) assert.ok(found.has(id), `${id} is lost`);
      if (found.has(id)) assert.ok(n >= patched && n <= tried, `${id}: ${patched} <= ${n} <= ${tried}`);
    }
  }

  async #checkState(plane: PlaneClient): Promise<void> {
    const found = new Map((await all(plane, "/state/n")).map((each) => [each.key, each]));
    for (const [key, known] of this.#state) {
      const { value = 0, version = 0 } = found.get(key) ?? {};
      assert.ok(
        value >= known.answered && value <= known.tried,
        `${key}: ${JSON.stringify(known)}, is ${value}`,
      );
      assert.equal(version, value, `${key} has missed or invented a version`);
      // Whether the last one happened is known now.
      known.answered = value;
    }
  }

  /** It goes on without a gap from where it was, and what was read before is what it was. */
  async #checkLog(plane: PlaneClient): Promise<void> {
    const from = Math.max(0, this.#log.length - LOG_AGAIN);
    const records = await all(plane, "/wal", from);
    const lost = this.#log.length - from - records.length;
    assert.ok(lost <= 0, `${lost} records at the end of the log are lost`);
    for (const [index, { seq, id }] of records.entries()) {
      assert.equal(seq, from + index + 1, "the log has a gap");
      assert.equal(this.#log[seq - 1] ?? id, id, `record ${seq} is another one`);
      this.#log[seq - 1] = id;
    }
  }
}

export interface Writing {
  name: string;
  random: Random;
  written: () => void;
  /** Whether nobody can be expected to answer any more. */
  isGone: () => boolean;
}

/** Every page of a list. */
export async function all(plane: Pick<PlaneClient, "ask">, path: string, after?: number): Promise<any[]> {
  const items: any[] = [];
  let cursor: string | number | null | undefined = after;
  do {
    const from = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer: Answer = await plane.ask(`GET ${path}?limit=${PAGE}${from}`);
    assert.equal(answer.status, 200, answer.text);
    items.push(...answer.body.items);
    cursor = answer.body.cursor;
  } while (cursor !== null);
  return items;
}
