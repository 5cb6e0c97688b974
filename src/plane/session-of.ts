// Whose session a token opens. Whatever is wrong with a token, the answer is the same and takes the same work; one that was live
// before a rotation has been copied by somebody, so it ends its session for good.
import { sessionKey, tokenKey } from "../core/plane-fold.ts";
import { PlaneError } from "../errors.ts";
import type { Session } from "../ports/plane.ts";
import { endSession, hashIn, viewOf } from "./sessions.ts";
import { hashOf, isSameHash, readToken } from "./token.ts";
import type { Writer } from "./writer.ts";

const NOBODY = { tenant: "nobody", session: "session_" };

export async function sessionOf(
  token: string,
  { writer, tokenLengthMax }: { writer: Writer; tokenLengthMax: number },
): Promise<Session | undefined> {
  const text = token.length > tokenLengthMax ? "" : token;
  const { tenant, session: id } = readToken(text) ?? NOBODY;
  const given = await hashOf(text);
  const keys = [sessionKey(id), tokenKey(id), tokenKey(id, given)];
  const [session, live, rotated] = await writer.store.get(tenant, keys);
  const isLive = isSameHash(hashIn(live), given);
  if (session && isLive) return viewOf(tenant, session);
  if (session && rotated) await revoke({ tenant, writer, id });
  return undefined;
}

/** Once it resolves the session is gone, whoever was first. */
async function revoke(session: { tenant: string; writer: Writer; id: string }): Promise<void> {
  try {
    await endSession({ ...session, how: "session_revoked" });
  } catch (error) {
    if (!(error instanceof PlaneError && error.problem === "not-found")) throw error;
  }
}
