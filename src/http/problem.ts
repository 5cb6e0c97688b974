// Error answers as RFC 9457 problem bodies. Says what is wrong and what to do; never carries a stack or a cause.

export interface ProblemOptions {
  status: number;
  title: string;
  /** Left out where there is nothing that the asker should know. */
  detail?: string;
  /** Every part of the request that is wrong. */
  errors?: readonly { path: string; message: string }[];
  headers?: Readonly<Record<string, string>>;
}

/** An `application/problem+json` response `{type, title, status, detail?, errors?}` that no cache keeps. */
export function problem({ status, title, detail, errors, headers }: ProblemOptions): Response {
  const body = JSON.stringify({ type: "about:blank", title, status, detail, errors });
  return new Response(body, {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}

/** 503 for something that may be there in a second. */
export function unavailable(detail: string): Response {
  return problem({ status: 503, title: "Service Unavailable", detail, headers: { "retry-after": "1" } });
}
