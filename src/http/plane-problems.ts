// What the plane refuses, as answers of HTTP. What is not there, and what is somebody else's, is one and the same answer.
import { PlaneError, StoreError } from "../errors.ts";
import { type InputProblem, Refusal, unprocessable } from "./plane-input.ts";
import { problem, unavailable } from "./problem.ts";

/** `undefined` for what nobody has expected. */
export function answerTo(error: unknown): Response | undefined {
  if (error instanceof Refusal) return error.response;
  if (error instanceof StoreError)
    return unavailable("cannot reach the store, so nothing of this request is acknowledged; try again");
  return error instanceof PlaneError ? answerToRefused(error) : undefined;
}

function answerToRefused({ problem: kind, message: detail, errors }: PlaneError): Response {
  switch (kind) {
    case "not-found":
      return notFound();
    case "stale":
      return problem({ status: 412, title: "Precondition Failed", detail });
    case "conflict":
      return problem({ status: 409, title: "Conflict", detail });
    case "compacted":
      return problem({ status: 410, title: "Gone", detail });
    case "too-large":
      return problem({ status: 413, title: "Content Too Large", detail });
    case "mismatch":
    case "invalid":
      return errors.length === 0 ? unprocessable([], detail) : unprocessable(errors.map(asSent));
  }
}

/** What the port calls otherwise than a request does. */
const SENT_AS: Readonly<Record<string, string>> = {
  after: "cursor",
  absoluteMs: "absolute",
  idleMs: "idle",
  ttlMs: "ttl",
};

function asSent({ path, message }: InputProblem): InputProblem {
  const sentAs = Object.hasOwn(SENT_AS, path) ? SENT_AS[path] : undefined;
  if (sentAs === undefined) return { path, message };
  return { path: sentAs, message: path.endsWith("Ms") ? `${message} (in milliseconds)` : message };
}

export function notFound(): Response {
  return problem({
    status: 404,
    title: "Not Found",
    detail: "cannot find what was asked for: it does not exist here",
  });
}

export function forbidden(detail: string): Response {
  return problem({ status: 403, title: "Forbidden", detail });
}
