// Traefik 3 as it documents itself and as its source has it, on a clock that is turned by hand: its HTTP provider polls every 5 s, the
// first time at once; takes a body only with 200 and only when its bytes have changed; lets one configuration through in 2 s; takes
// every server for up after each; and asks them after one interval. What it forwards goes to whom the test says.
import { createHash } from "node:crypto";
import { readRule } from "../../src/config/route-rule.ts";
import { requestOf, routeOf } from "../../src/core/route-match.ts";
import type { TraefikConfig } from "../../src/core/traefik.ts";
import type { Clock } from "../../src/ports/clock.ts";

const POLL_MS = 5_000;
const THROTTLE_MS = 2_000;

export interface TraefikOptions {
  clock: Clock;
  /** Its HTTP provider's endpoint. */
  endpoint: () => Promise<Response>;
  /** What answers at a server; rejects where nobody listens. */
  backend: (request: Request) => Promise<Response>;
}

type Balancer = Extract<TraefikConfig["http"]["services"][string], { loadBalancer: object }>["loadBalancer"];

interface Server {
  url: string;
  isUp: boolean;
}

export class Traefik {
  /** How often a configuration has come into force. */
  reloads = 0;
  readonly #options: TraefikOptions;
  #hash = "";
  #config: TraefikConfig = { http: { middlewares: {}, routers: {}, services: {} } };
  #waiting: TraefikConfig | undefined;
  #isThrottled = false;
  #servers = new Map<string, Server[]>();
  #turn = 0;
  #stopChecks: (() => void)[] = [];

  constructor(options: TraefikOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { clock } = this.#options;
    const again = () => {
      clock.after(POLL_MS, again);
      void this.#poll();
    };
    clock.after(POLL_MS, again);
    await this.#poll();
  }

  /** A request from outside: 404 without a router, 503 without a server that is up, 502 where nobody listens. */
  async request(url: string): Promise<Response> {
    const routes = Object.values(this.#config.http.routers).map((router) => {
      const read = readRule(router.rule);
      if ("problem" in read) throw new Error(`Traefik would not take ${router.rule}: ${read.problem}`);
      return { ...router, match: read.match };
    });
    const router = routeOf(routes, requestOf(new URL(url)));
    if (!router) return new Response(null, { status: 404 });
    const up = (this.#servers.get(router.service) ?? []).filter(({ isUp }) => isUp);
    const server = up[this.#turn++ % Math.max(up.length, 1)];
    if (!server) return new Response("no available server", { status: 503 });
    const { pathname, search } = new URL(url);
    try {
      return await this.#options.backend(new Request(`${server.url}${pathname}${search}`));
    } catch {
      return new Response(null, { status: 502 });
    }
  }

  /** The servers it would send a request to, of all services. */
  get up(): string[] {
    return [...this.#servers.values()].flat().flatMap(({ url, isUp }) => (isUp ? [url] : []));
  }

  async #poll(): Promise<void> {
    const answer = await this.#options.endpoint().catch(() => undefined);
    if (answer?.status !== 200) return;
    const body = await answer.text();
    const hash = createHash("sha256").update(body).digest("hex");
    if (hash === this.#hash) return;
    this.#hash = hash;
    this.#waiting = JSON.parse(body) as TraefikConfig;
    this.#publish();
  }

  #publish(): void {
    if (this.#isThrottled || this.#waiting === undefined) return;
    const config = this.#waiting;
    this.#waiting = undefined;
    this.#isThrottled = true;
    this.#options.clock.after(THROTTLE_MS, () => {
      this.#isThrottled = false;
      this.#publish();
    });
    this.#apply(config);
  }

  #apply(config: TraefikConfig): void {
    this.reloads += 1;
    this.#config = config;
    for (const stop of this.#stopChecks.splice(0)) stop();
    this.#servers = new Map();
    for (const [name, service] of Object.entries(config.http.services)) {
      if (!("loadBalancer" in service)) throw new Error("this model has no balancers over balancers");
      const servers = service.loadBalancer.servers.map(({ url }) => ({ url, isUp: true }));
      this.#servers.set(name, servers);
      this.#check(service.loadBalancer, servers);
    }
  }

  #check({ healthCheck }: Balancer, servers: readonly Server[]): void {
    if (!healthCheck) return;
    const { clock, backend } = this.#options;
    const intervalMs = Number.parseFloat(healthCheck.interval) * 1_000;
    let stopped = false;
    const ask = async () => {
      for (const server of servers) {
        const answer = await backend(new Request(`${server.url}${healthCheck.path}`)).catch(() => undefined);
        if (!stopped) server.isUp = answer !== undefined && answer.ok;
      }
    };
    const later = () => {
      if (stopped) return;
      clock.after(intervalMs, later);
      void ask();
    };
    clock.after(intervalMs, later);
    this.#stopChecks.push(() => (stopped = true));
  }
}
