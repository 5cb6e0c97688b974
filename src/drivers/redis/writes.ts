// Commits to Redis: those of one tenant and one turn of the loop are one run of a script. What became of one whose connection was lost is asked for by sending it once more under
// a higher generation, which keeps the first one out should it still be on its way; the log, or a note beside it, says whether it is
// there already. It remembers how far each tenant's log was acknowledged: one that is shorter or different later is not written any more.
//
//   commit ─▶ (tenant listed) ─▶ script ─▶ ok ─▶ (replicas have it) ─▶ acknowledged
//                          ▲        │ refused, unsent ─────────────▶ rejected
//                          └────────┴ unknown: until Redis is back, or for some seconds at most
import { executionOf, OPEN, openExecution } from "../../core/claims.ts";
import { keyOf } from "../../core/key.ts";
import { refuseIllFormed, storedText } from "../../core/stored-text.ts";
import { messageOf, StoreError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Commit, CommitResult, Ownership } from "../../ports/store.ts";
import type { Answer, Reply } from "./connection.ts";
import { recordText, tenantBase, tenantMember, tenantsKey } from "./layout.ts";
import type { RedisLink } from "./link.ts";
import type { RedisScript } from "./script.ts";
import { newToken } from "./token.ts";

/** What one script may do: Redis does nothing else meanwhile. */
const BATCH_RECORDS_MAX = 256;
const BATCH_BYTES_MAX = 256 * 1024;
/** What waits for an answer; beyond it, writers are turned away. */
const WAITING_BYTES_MAX = 256 * 1024 * 1024;
/** What a write takes besides its texts, roughly. */
const WRITE_BYTES = 500;
/** How long to wait for replicas. Redis answers nothing else on the connection meanwhile. */
const REPLICATED_MS = 1_000;
const MAYBE = "whether it is written is not known";

export interface RedisWritesOptions {
  link: RedisLink;
  script: RedisScript;
  namespace: string;
  clock: Clock;
  /** How long what is opened as somebody's own is that one's unless it is renewed. */
  leaseMs: number;
  /** So many replicas have to have a write before it counts. */
  replicas: number;
  /** How long an unknown outcome may stay unknown. */
  unknownMs: number;
  /** A log is not what it was: said once for a tenant. */
  onDiverged: (tenant: string, error: StoreError) => void;
}

interface Tenant {
  name: string;
  /** The key of its head, which leads to all others. */
  head: string;
  /** The last record of it that was acknowledged here. */
  seq: number;
  id: string;
  /** The connection on which that was looked for last. */
  checked: number;
  /** The connection on which it was listed last. */
  listed: number;
  /** Those that wait for it to be listed, in order. */
  waiting: Write[] | undefined;
  /** Those that go out when this turn of the loop is over. */
  outgoing: Write[];
  diverged: StoreError | undefined;
}

const UNTOUCHED = { seq: 0, id: "", checked: 0, listed: 0, waiting: undefined, diverged: undefined } as const;

interface Write {
  tenant: Tenant;
  args: readonly string[];
  /** Of its last record, if it has any. */
  lastId: string | undefined;
  records: number;
  expects: readonly { key: string; last?: number }[];
  isEmpty: boolean;
  /** An execution is open after it, and nobody's. */
  opens: boolean;
  bytes: number;
  /** What was acknowledged when it went out first; absent before. */
  known: { seq: number; id: string } | undefined;
  /** The connection on which it went out last. */
  sent: number;
  isSettled: boolean;
  resolve(result: CommitResult): void;
  reject(error: Error): void;
}

/** The write side of a store in Redis. */
export class RedisWrites {
  /** Names this replica in what it writes and tells. */
  readonly replica = newToken();
  readonly #options: RedisWritesOptions;
  readonly #link: RedisLink;
  readonly #tenants = new Map<string, Tenant>();
  readonly #listeners: ((tenant: string, opens: boolean) => void)[] = [];
  /** Whose outcome is unknown, in the order in which they went out. */
  #unknown: Write[] = [];
  /** Ends the wait of each whose outcome was unknown once, and is not settled. */
  readonly #giveUps = new Map<Write, () => void>();
  #waitingBytes = 0;
  #underWay = 0;
  #idle = (): void => {};
  #isClosed = false;
  readonly #replicated = new Map<string, Promise<string | undefined>>();

  constructor(options: RedisWritesOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#link.onChange((problem) => {
      if (!problem) this.#resend();
    });
  }

  /** False once the log of that tenant is not what was acknowledged here: nothing of it is written until a restart. */
  isWritable(tenant: string): boolean {
    return !this.#tenants.get(tenant)?.diverged;
  }

  /** Called when a commit has written something of that tenant; `opens`: an execution is open after it, and nobody's. */
  onWritten(listener: (tenant: string, opens: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async commit(name: string, commit: Commit): Promise<CommitResult> {
    if (this.#isClosed) throw new StoreError(`cannot use ${this.#link.name}: it is closed`);
    refuseIllFormed([name, ...(commit.put ?? []).map(({ key }) => key)]);
    const tenant = this.#tenant(name);
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    const write = writeOf(tenant, commit, { resolve, reject });
    if (tenant.diverged) throw tenant.diverged;
    if (this.#link.problem) throw this.#link.problem;
    if (this.#waitingBytes + write.bytes > WAITING_BYTES_MAX)
      throw new StoreError(
        `cannot write to ${this.#link.name}: ${this.#underWay} writes with ${this.#waitingBytes} bytes wait already, and this one has ${write.bytes}; write less at once`,
      );
    this.#waitingBytes += write.bytes;
    this.#underWay++;
    this.#submit(write);
    return promise;
  }

  /** Resolves when nothing is under way. What waits for Redis to come back is turned away. */
  close(): Promise<void> {
    this.#isClosed = true;
    const { problem } = this.#link;
    if (problem) for (const write of this.#unknown) this.#reject(write, problem.message);
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#idle = resolve));
  }

  #tenant(name: string): Tenant {
    const known = this.#tenants.get(name);
    if (known) return known;
    const head = `${tenantBase(this.#options.namespace, name)}head`;
    const tenant: Tenant = { name, head, ...UNTOUCHED, outgoing: [] };
    this.#tenants.set(name, tenant);
    return tenant;
  }

  /** Lists its tenant first, on each connection anew: what was listed may have been lost with another server. */
  #submit(write: Write): void {
    const { tenant } = write;
    if (tenant.waiting) tenant.waiting.push(write);
    else if (write.isEmpty || tenant.listed === this.#link.generation) this.#send(write);
    else void this.#list(tenant, write);
  }

  async #list(tenant: Tenant, first: Write): Promise<void> {
    const waiting = (tenant.waiting = [first]);
    const { generation } = this.#link;
    const key = tenantsKey(this.#options.namespace);
    const answer = await this.#link.send(["ZADD", key, "0", tenantMember(tenant.name)], { key });
    tenant.waiting = undefined;
    if (answer.type === "reply") tenant.listed = generation;
    for (const write of waiting) {
      if (answer.type === "reply") this.#send(write);
      else this.#failed(write, answer);
    }
  }

  /** What is sent in one turn goes out together; what is sent again goes by itself. */
  #send(write: Write): void {
    const { tenant } = write;
    if (write.known) return this.#run(tenant, [write]);
    if (tenant.outgoing.push(write) === 1) laterTurn(() => this.#flush(tenant));
  }

  #flush(tenant: Tenant): void {
    const writes = tenant.outgoing;
    tenant.outgoing = [];
    for (let from = 0, until = 0; from < writes.length; from = until) {
      let [records, bytes] = [0, 0];
      for (; until < writes.length; until++) {
        records += writes[until]?.records ?? 0;
        bytes += writes[until]?.bytes ?? 0;
        if (until > from && (records > BATCH_RECORDS_MAX || bytes > BATCH_BYTES_MAX)) break;
      }
      this.#run(tenant, writes.slice(from, until));
    }
  }

  #run(tenant: Tenant, writes: readonly Write[]): void {
    const { leaseMs, script } = this.#options;
    const { generation } = this.#link;
    const resent = writes[0]?.known;
    const known = resent ?? { seq: tenant.seq, id: tenant.id };
    // On one connection to one server a log that was there stays there.
    const isChecked = tenant.checked === generation && !this.#link.isSharded && !resent;
    const id = isChecked || known.id.includes(" ") ? "" : known.id;
    const args = [
      `${this.replica} ${generation} ${resent ? 1 : 0} ${known.seq} ${id} ${leaseMs} ${writes.length}`,
    ];
    for (const write of writes) {
      write.known = known;
      write.sent = generation;
      for (const word of write.args) args.push(word);
    }
    this.#link.run(script, tenant.head, args).then(
      (answer) => this.#answered(writes, answer),
      (error: unknown) => writes.forEach((write) => this.#reject(write, messageOf(error))),
    );
  }

  #answered(writes: readonly Write[], answer: Answer): void {
    const replies = answer.type === "reply" ? (answer.reply as readonly Reply[]) : [];
    for (const [index, write] of writes.entries()) {
      if (answer.type !== "reply") this.#failed(write, answer);
      else if (replies[0] === "late") this.#keep(write);
      else if (replies[0] === "diverged") this.#diverge(write, Number(replies[1]));
      else this.#decided(write, replies[index] as readonly Reply[]);
    }
  }

  #decided(write: Write, reply: readonly Reply[]): void {
    const { tenant } = write;
    const [kind] = reply;
    tenant.checked = Math.max(tenant.checked, write.sent);
    if (kind === "fenced") return this.#settle(write, { ok: false, reason: "fenced" });
    if (kind === "conflict") return this.#settle(write, conflictOf(write, reply));
    const numbers = kind === "again" ? String(reply[1]).split(" ") : reply.slice(1);
    void this.#written(write, numbers.map(Number));
  }

  /** One that went out before may be there, whatever is said of it now. */
  #failed(write: Write, answer: Exclude<Answer, { type: "reply" }>): void {
    const mayBeThere = answer.type === "unknown" || this.#giveUps.has(write);
    if (!mayBeThere) this.#reject(write, answer.message);
    else if (answer.type === "refused" && !this.#link.problem)
      this.#reject(write, `${MAYBE}: ${answer.message}`);
    else this.#keep(write);
  }

  /** Until Redis can say what became of it, but not for ever. */
  #keep(write: Write): void {
    if (write.isSettled) return;
    const { problem, generation } = this.#link;
    if (this.#isClosed && problem) return this.#reject(write, `${MAYBE}: ${problem.message}`);
    if (!this.#giveUps.has(write)) {
      const { clock, unknownMs } = this.#options;
      const giveUp = (): void =>
        this.#reject(write, `${MAYBE}: ${this.#link.problem?.message ?? "no answer came"}`);
      this.#giveUps.set(write, clock.after(unknownMs, giveUp));
    }
    this.#unknown.push(write);
    if (!problem && generation > write.sent) this.#resend();
  }

  #resend(): void {
    const writes = this.#unknown.filter(({ isSettled }) => !isSettled);
    this.#unknown = [];
    for (const write of writes) this.#submit(write);
  }

  async #written(write: Write, [firstSeq = 0, timeMs = 0, ...versions]: number[]): Promise<void> {
    const { tenant, records, lastId, opens } = write;
    const { replicas } = this.#options;
    const missing = replicas > 0 && !write.isEmpty ? await this.#replicate(write) : undefined;
    if (missing !== undefined) return this.#reject(write, missing);
    const lastSeq = firstSeq + records - 1;
    if (lastId !== undefined && lastSeq > tenant.seq) {
      tenant.seq = lastSeq;
      tenant.id = lastId;
    }
    this.#settle(write, { ok: true, firstSeq, timeMs, versions });
    if (!write.isEmpty) for (const tell of this.#listeners) tell(tenant.name, opens);
  }

  /** One question for all that was answered in one turn; resolves with what is missing. */
  #replicate({ tenant: { name, head }, sent }: Write): Promise<string | undefined> {
    const place = this.#link.isSharded ? name : "";
    const asked = this.#replicated.get(place);
    if (asked) return asked;
    const asking = Promise.resolve().then(async () => {
      this.#replicated.delete(place);
      const { replicas } = this.#options;
      const answer = await this.#link.send(["WAIT", String(replicas), String(REPLICATED_MS)], { key: head });
      if (answer.type !== "reply") return answer.message;
      // Redis answers for what came by the same connection.
      if (this.#link.generation !== sent) return "the connection was lost before its replicas had it";
      const have = Number(answer.reply);
      return have >= replicas ? undefined : `${have} of its replicas have it, and ${replicas} are asked for`;
    });
    this.#replicated.set(place, asking);
    return asking;
  }

  #diverge(write: Write, seq: number): void {
    const { tenant } = write;
    if (!tenant.diverged) {
      tenant.diverged = new StoreError(
        `cannot write to ${this.#link.name}: the log of tenant ${JSON.stringify(tenant.name)} ends with record ${seq} and is not the one whose record ${tenant.seq} was acknowledged, as after a failover that lost some; nothing of this tenant is written until a restart takes it as it is`,
      );
      this.#options.onDiverged(tenant.name, tenant.diverged);
    }
    if (write.isSettled) return;
    this.#finish(write);
    write.reject(tenant.diverged);
  }

  #reject(write: Write, reason: string): void {
    if (write.isSettled) return;
    this.#finish(write);
    write.reject(new StoreError(`cannot write to ${this.#link.name}: ${reason}`));
  }

  #settle(write: Write, result: CommitResult): void {
    if (write.isSettled) return;
    this.#finish(write);
    write.resolve(result);
  }

  #finish(write: Write): void {
    write.isSettled = true;
    this.#giveUps.get(write)?.();
    this.#giveUps.delete(write);
    this.#waitingBytes -= write.bytes;
    if (--this.#underWay === 0) this.#idle();
  }
}

/** Throws for what cannot be kept as it is. */
function writeOf(tenant: Tenant, commit: Commit, answer: Pick<Write, "resolve" | "reject">): Write {
  const { expect = [], append = [], put = [], remove = [], owner, own } = commit;
  const who = `${ownerText(owner)} ${ownerText(own)}`;
  const attempt = append.length > 0 ? "" : newToken();
  const args = [`${who} ${attempt} ${expect.length} ${append.length} ${put.length} ${remove.length}`];
  for (const { key, version, last, expired } of expect)
    args.push(key, String(version), last === undefined ? "" : String(last), expired ? "1" : "0");
  for (const record of append) {
    const { id, execution } = record;
    args.push(
      id,
      execution === undefined ? "" : keyOf(execution),
      recordText({ ...record, payload: storedText(record.payload) }),
    );
  }
  for (const { key, value, expiresAtMs } of put) {
    const open = key.startsWith(OPEN) ? openExecution(tenant.name, { key, value }) : undefined;
    const expires = expiresAtMs === undefined ? "" : String(expiresAtMs);
    args.push(key, expires, storedText(value), keyOf(open?.execution ?? ""), keyOf(open?.definition ?? ""));
  }
  for (const key of remove) args.push(key, key.startsWith(OPEN) ? keyOf(executionOf(key)) : "");
  return {
    tenant,
    args,
    lastId: append.at(-1)?.id,
    records: append.length,
    expects: expect,
    opens: own === undefined && put.some(({ key }) => key.startsWith(OPEN)),
    isEmpty: append.length + put.length + remove.length === 0,
    bytes: args.reduce((sum, word) => sum + word.length, WRITE_BYTES),
    known: undefined,
    sent: 0,
    isSettled: false,
    ...answer,
  };
}

/** The execution and the token, or nothing twice. */
const ownerText = (owner: Ownership | undefined): string =>
  owner ? `=${keyOf(owner.execution)} ${keyOf(owner.token)}` : " ";

function conflictOf({ expects }: Write, [, index, version, last]: readonly Reply[]): CommitResult {
  const expected = expects[Number(index)];
  return {
    ok: false,
    reason: "conflict",
    key: expected?.key ?? "",
    version: Number(version),
    ...(expected?.last !== undefined && { last: Number(last) }),
  };
}

/** After timers and sockets where the platform can say that, otherwise soon. */
const laterTurn: (run: () => void) => void =
  typeof setImmediate === "function" ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0);
