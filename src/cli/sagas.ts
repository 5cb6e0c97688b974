// `haraka sagas`: the executions of a running runtime's plane, and the decisions about those that are parked. It asks over the
// control socket, where whoever may open it is an operator of every tenant.
import { ExitCode, UsageError } from "../errors.ts";
import type { Client, Problem } from "./client.ts";
import { SOCKET_FLAGS } from "./config-flags.ts";
import { type Args, type Io, JSON_FLAG, type Verb, VerbFailure } from "./verb.ts";

const ACTIONS = ["retry", "done", "skip", "abort"] as const;
const EXECUTIONS = "/api/v1/executions";
const WORDS = ["list", "show", "retry", "resolve", "abort"] as const;
/** What a page asks for; a runtime with smaller pages is asked more often. */
const PAGE = 100;

/** What the plane says about an execution. */
interface Execution {
  id: string;
  type: string;
  state: string;
  updatedAt: string;
  error?: { message: string };
  saga?: { steps: { name: string; state: string; attempts: number; error?: { message: string } }[] };
}

export const sagas: Verb = {
  name: "sagas",
  common: false,
  summary: "list, show and settle the executions of a running runtime",
  takes: "list|show|retry|resolve|abort [ID]",
  flags: {
    tenant: { type: "string", value: "NAME", help: "whose they are; default: default" },
    state: { type: "string", value: "STATE", help: "list: only those in it, such as parked" },
    action: { type: "string", value: "ACTION", help: "resolve: retry, done, skip or abort" },
    step: { type: "string", value: "NAME", help: "resolve: which step, where several are in doubt" },
    output: { type: "string", value: "JSON", help: "resolve --action done: what the step gave" },
    ...SOCKET_FLAGS,
    ...JSON_FLAG,
  },
  examples: [
    ["sagas list --state parked", "those that wait for a decision"],
    ["sagas show ID", "its steps, and what went wrong"],
    ["sagas retry ID", "try again what has failed or is parked"],
    ["sagas resolve ID --action done --step charge --output '{}'", "it was done after all"],
    ["sagas abort ID --tenant shop", "give it up and undo what was done"],
  ],
  run: (args, io) => operate(args, io),
};

async function operate(args: Args, io: Io): Promise<number> {
  const [word, id, ...more] = args.positionals;
  const known = WORDS.find((each) => each === word);
  // An ID is easily empty in a script, and dots would lead elsewhere than to an execution.
  const isFit = (known === "list") === (id === undefined) && !/^\.{0,2}$/.test(id ?? "ID");
  if (known === undefined || more.length > 0 || !isFit) {
    throw new UsageError(
      `cannot do '${["sagas", ...args.positionals].join(" ").trim()}': it is sagas list, or sagas show, retry, resolve or abort with one ID`,
    );
  }
  const order = orderOf(known, args);
  const { connect } = await import("./client.ts");
  const plane = planeOf(await connect(args, io), args.flags["tenant"] as string | undefined);
  const json = args.flags["json"] === true;
  if (id === undefined) {
    const found = await listed(plane, args.flags["state"] as string | undefined);
    io.stdout(json ? `${JSON.stringify(found)}\n` : tableOf(found));
    return ExitCode.ok;
  }
  const path = `/${encodeURIComponent(id)}`;
  const execution =
    order === undefined
      ? await plane<Execution>("GET", path)
      : await plane<Execution>("POST", `${path}/${order.verb}`, order.body);
  if (json) io.stdout(`${JSON.stringify(execution)}\n`);
  else if (order === undefined) io.stdout(pageOf(execution));
  else io.stdout(`${known}: ${execution.id} is ${execution.state}\n`);
  return ExitCode.ok;
}

interface Order {
  verb: "retry" | "resolve";
  body?: object;
}

/** `undefined`: it only asks. Throws `UsageError` for flags that go with another word. */
function orderOf(word: (typeof WORDS)[number], { flags }: Args): Order | undefined {
  const { action, step, output } = flags;
  if (word !== "resolve" && (action ?? step ?? output) !== undefined)
    throw new UsageError(`cannot ${word} with --action, --step or --output: they go with 'sagas resolve'`);
  if (word !== "list" && flags["state"] !== undefined)
    throw new UsageError(`cannot ${word} with --state: it goes with 'sagas list'`);
  if (word === "retry") return { verb: "retry" };
  if (word === "abort") return { verb: "resolve", body: { action: "abort" } };
  if (word !== "resolve") return undefined;
  const known = ACTIONS.find((each) => each === action);
  if (known === undefined)
    throw new UsageError(`cannot resolve without a decision: --action is retry, done, skip or abort`);
  const body = { action: known, ...(step !== undefined && { step }) };
  return {
    verb: "resolve",
    body: output === undefined ? body : { ...body, output: parsed(output as string) },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`cannot read --output '${text}': it is JSON, as --output '{"charged": 40}'`);
  }
}

type Ask = <T>(method: "GET" | "POST", path: string, body?: object) => Promise<T>;

function planeOf(client: Client, tenant: string | undefined): Ask {
  const headers = {
    "content-type": "application/json",
    ...(tenant !== undefined && { "haraka-tenant": tenant }),
  };
  return async <T>(method: "GET" | "POST", path: string, body?: object) => {
    const options = { headers, expect: [404], ...(body && { body }) };
    const answer = await client.ask<T & Partial<Problem>>(method, `${EXECUTIONS}${path}`, options);
    if (answer.status === 404) throw notThere(answer.body, { path, tenant });
    return answer.body;
  };
}

/** Where there is no plane, its paths are unknown; where there is one, no path of ours is. */
function notThere(
  { detail = "" }: Partial<Problem>,
  { path, tenant = "default" }: { path: string; tenant: string | undefined },
): VerbFailure {
  if (detail.startsWith(`cannot find ${EXECUTIONS}`))
    return new VerbFailure("cannot ask for executions: this runtime has no plane; add plane: {}");
  const id = decodeURIComponent(path.split("/")[1] ?? "");
  return new VerbFailure(
    `cannot find the execution "${id}": the tenant "${tenant}" has none; 'sagas list' shows what there is, --tenant another's`,
  );
}

async function listed(ask: Ask, state: string | undefined): Promise<Execution[]> {
  const found: Execution[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (state !== undefined) query.set("state", state);
    if (cursor !== "") query.set("cursor", cursor);
    const page: { items: Execution[]; cursor: string | null } = await ask("GET", `?${query}`);
    if (!Array.isArray(page.items)) throw new VerbFailure("cannot list executions: the answer is no list");
    found.push(...page.items);
    cursor = page.cursor;
  }
  return found;
}

function tableOf(found: readonly Execution[]): string {
  if (found.length === 0) return "none\n";
  const rows = found.map(({ id, type, state, updatedAt }) => [id, type, state, updatedAt]);
  return aligned([["ID", "TYPE", "STATE", "SINCE"], ...rows]);
}

function pageOf({ id, type, state, error, saga }: Execution): string {
  const head = `${id} ${type} ${state}${error ? `: ${error.message}` : ""}\n`;
  const rows = (saga?.steps ?? []).map((step) => [
    step.name,
    step.state,
    String(step.attempts),
    step.error?.message ?? "",
  ]);
  return rows.length === 0 ? head : `${head}\n${aligned([["STEP", "STATE", "ATTEMPTS", "ERROR"], ...rows])}`;
}

function aligned(rows: readonly (readonly string[])[]): string {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join("  ")
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join("");
}
