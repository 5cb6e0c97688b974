// Clients of a service behind a proxy, for tests in which its instances come and go: one request after the other over kept connections,
// and every answer that is not what the service gives is a problem.

const CLIENTS = 8;
const ANSWER = "here";

/** A module with one route, which takes a moment, so that there is always something in flight. */
export const WEB = `
export default {
  routes(app) {
    app.get("/", async (c) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      return c.text("${ANSWER}");
    });
  },
};`;

export interface Load {
  /** Requests so far. */
  readonly count: number;
  /** Resolves with what went wrong. */
  stop(): Promise<string[]>;
}

export function load(url: string): Load {
  const stop = new AbortController();
  const problems: string[] = [];
  let count = 0;
  const client = async () => {
    while (!stop.signal.aborted) {
      count += 1;
      try {
        const answer = await fetch(url);
        const text = await answer.text();
        if (answer.status !== 200 || text !== ANSWER) problems.push(`${answer.status} ${text}`);
      } catch (error) {
        problems.push(String(error));
      }
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  return {
    get count() {
      return count;
    },
    async stop() {
      stop.abort();
      await Promise.all(clients);
      return problems;
    },
  };
}
