// What an answer to HEAD says about the length of the content that GET would have had: the same, or nothing (RFC 9110, 8.6). Hono
// takes the content away, and a server that counts what is left would say 0. It changes no other answer.
import type { Fetch } from "./server.ts";

/** The same `fetch`; answers to HEAD of which nobody has said how long they would be go through `lengthless`. */
export function withHead(fetch: Fetch, lengthless: (answer: Response) => Response): Fetch {
  const mended = (answer: Response) => (isMute(answer) ? lengthless(answer) : answer);
  return (request, native) => {
    const answer = fetch(request, native);
    if (request.method !== "HEAD") return answer;
    return answer instanceof Promise ? answer.then(mended) : mended(answer);
  };
}

/** Statuses that never have content, to which nothing may be added. */
const EMPTY: ReadonlySet<number> = new Set([101, 204, 205, 304]);

function isMute({ status, headers, body }: Response): boolean {
  return body === null && !EMPTY.has(status) && !headers.has("content-length");
}
