// What a health endpoint says about one snapshot, as JSON text: our own format and the health+json draft
// (draft-inadarei-api-health-check-06). Pure: it reads no clock; time is put in when the page is sent.
import type { ComponentStatus, Snapshot } from "../core/snapshot.ts";

/** Which question is asked. */
export type Probe = "health" | "ready" | "live" | "startup";

/** `application/json`, or `application/health+json` where the client accepts it. */
export type Format = "json" | "draft";

/** Who the answers are about. */
export interface Identity {
  service: string;
  version: string;
}

/** What changes from one answer to the next while the snapshot stays. */
export interface Stamp {
  uptimeMs: number;
  /** ISO 8601. */
  timestamp: string;
}

export interface Page {
  status: 200 | 503;
  body(stamp: Stamp): string;
}

export interface PageOptions extends Identity {
  probe: Probe;
  format: Format;
  /** Names and states only: why, since when and how often are not for everybody, nor which version and for how long. */
  withoutReasons: boolean;
}

export function renderPage(snapshot: Snapshot, options: PageOptions): Page {
  const status = isPassed(snapshot, options.probe) ? 200 : 503;
  if (options.format === "draft") return fixedPage(status, draftOf(snapshot, options));
  if (options.probe === "health") return healthPage(snapshot, { ...options, status });
  return fixedPage(status, verdictOf(snapshot, options));
}

function isPassed(snapshot: Snapshot, probe: Probe): boolean {
  if (probe === "ready") return snapshot.ready;
  if (probe === "startup") return snapshot.started;
  return snapshot.status !== "unhealthy";
}

function fixedPage(status: Page["status"], content: object): Page {
  const body = JSON.stringify(content);
  return { status, body: () => body };
}

function healthPage(snapshot: Snapshot, options: PageOptions & { status: Page["status"] }): Page {
  const { service, version, withoutReasons } = options;
  const rows = Object.entries(snapshot.components).map(([name, { status, state, sinceMs, reason }]) => {
    const told = reason !== undefined && !withoutReasons;
    return [name, { status, ...(state && { state }), ...(told && { since: isoTime(sinceMs), reason }) }];
  });
  const identity = { status: snapshot.status, service, ...(!withoutReasons && { version }) };
  const head = JSON.stringify(identity).slice(0, -1);
  const components = JSON.stringify(Object.fromEntries(rows));
  const uptime = (uptimeMs: number) => (withoutReasons ? "" : `"uptimeMs":${uptimeMs},`);
  return {
    status: options.status,
    body: ({ uptimeMs, timestamp }) =>
      `${head},${uptime(uptimeMs)}"components":${components},"timestamp":"${timestamp}"}`,
  };
}

function verdictOf(snapshot: Snapshot, { probe, withoutReasons }: PageOptions): object {
  if (probe === "live") return { status: isPassed(snapshot, "live") ? "alive" : "unhealthy" };
  if (probe === "startup") return { status: snapshot.started ? "started" : "starting" };
  if (snapshot.ready) return { status: "ready" };
  const blockedBy = snapshot.blockedBy.map(({ service, reason, sinceMs, attempts }) => {
    return { service, ...(!withoutReasons && { reason, since: isoTime(sinceMs), attempts }) };
  });
  return { status: "not_ready", blockedBy };
}

const CHECK_STATUS: Readonly<Record<ComponentStatus, "pass" | "warn" | "fail">> = {
  healthy: "pass",
  starting: "warn",
  degraded: "warn",
  stopped: "warn",
  unavailable: "fail",
};

function draftOf(snapshot: Snapshot, { probe, service, version, withoutReasons }: PageOptions): object {
  const warned = probe === "health" && snapshot.status === "degraded";
  const passed = warned ? "warn" : "pass";
  const blockers = snapshot.blockedBy.map((blocker) => `${blocker.service}: ${blocker.reason}`).join("; ");
  const checks = Object.entries(snapshot.components).map(([name, { status, state, sinceMs, reason }]) => {
    const check = {
      componentType: "component",
      observedValue: state ?? status,
      status: CHECK_STATUS[status],
    };
    const told = reason !== undefined && !withoutReasons;
    return [`${name}:state`, [{ ...check, ...(told && { time: isoTime(sinceMs), output: reason }) }]];
  });
  return {
    status: isPassed(snapshot, probe) ? passed : "fail",
    ...(!withoutReasons && { version }),
    serviceId: service,
    ...(probe === "ready" && blockers !== "" && !withoutReasons && { output: blockers }),
    ...(probe !== "live" && { checks: Object.fromEntries(checks) }),
  };
}

/** Why something is as it is stands in it, which is not for everybody. */
export function hasReasons({ components, blockedBy }: Snapshot): boolean {
  return blockedBy.length > 0 || Object.values(components).some(({ reason }) => reason !== undefined);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
