// `haraka reload`: the running runtime reads its config again and applies the difference, or says why it does not. Whatever the
// reason, that is exit 1: who has asked made no mistake on the command line.
import { ExitCode } from "../errors.ts";
import { SOCKET_FLAGS } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

interface Difference {
  added: string[];
  changed: string[];
  removed: string[];
}

/** The new services may have to be loaded first. */
const PATIENCE_MS = 60_000;

export const reload: Verb = {
  name: "reload",
  common: false,
  summary: "make a running runtime read its config again and apply what changed",
  flags: { ...SOCKET_FLAGS, ...JSON_FLAG },
  examples: [["reload", "only what changed restarts; a config that is wrong changes nothing"]],
  async run(args, io) {
    const { connect } = await import("./client.ts");
    const client = await connect(args, io);
    const json = args.flags["json"] === true;
    const { status, body } = await client.ask<
      Difference & { errors?: { message: string }[]; detail?: string }
    >("POST", "/api/v1/runtime/reload", { expect: [422], timeoutMs: PATIENCE_MS });
    if (status === 422) {
      const problems = (body.errors ?? [{ message: body.detail ?? "" }]).map(({ message }) => message);
      if (json) io.stdout(`${JSON.stringify({ ok: false, problems })}\n`);
      else io.stderr(`haraka: cannot reload, nothing was changed:\n${problems.join("\n")}\n`);
      return ExitCode.failure;
    }
    io.stdout(json ? `${JSON.stringify({ ok: true, ...body })}\n` : `${inWords(body)}\n`);
    return ExitCode.ok;
  },
};

function inWords({ added, changed, removed }: Difference): string {
  const parts = Object.entries({ added, changed, removed }).filter(([, names]) => names.length > 0);
  if (parts.length === 0) return "nothing has changed";
  return parts.map(([what, names]) => `${what}: ${names.join(", ")}`).join("; ");
}
