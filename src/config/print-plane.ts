// The plane, its store and its intents as they would be written, for `print.ts`. Names hold no secrets, however they sound: what may
// hold one is handed to `hide`.
import type { CallConfig, IntentConfig, PlaneConfig, StepCalls, StoreConfig } from "./config.ts";
import type { RawMap } from "./path.ts";
import { durationText, sizeText } from "./quantities.ts";
import type { SagaNode, StepNode } from "./saga-definition.ts";

type Hide = (value: unknown) => unknown;

export function storeDocument(store: StoreConfig): RawMap {
  return store.driver === "sqlite" ? { driver: store.driver, path: store.path } : { driver: store.driver };
}

export function planeDocument({ auth, sessions, retentionMs, limits }: PlaneConfig, hide: Hide): RawMap {
  const tokens = auth?.tokens.map(({ token, tenant, roles }) => ({
    ...(hide({ token }) as RawMap),
    tenant: hide(tenant),
    roles,
  }));
  return {
    auth: auth && { tokens, jwt: hide(auth.jwt) },
    sessions: { idle: durationText(sessions.idleMs), absolute: durationText(sessions.absoluteMs) },
    retention: retentionMs === Infinity ? "forever" : durationText(retentionMs),
    limits: { body: sizeText(limits.bodyBytes), key: limits.keyBytes, page: limits.pageItems },
  };
}

export function intentsDocument(intents: readonly IntentConfig[], hide: Hide): RawMap {
  return Object.fromEntries(
    intents.map(({ definition, calls }) => {
      const { name, version, input, timeoutMs, nodes } = definition;
      const saga = {
        version,
        timeout: timeoutMs === undefined ? undefined : durationText(timeoutMs),
        steps: nodes.map((node) => nodeDocument(node, { calls, hide })),
      };
      return [name, { input: hideNames(input, hide), saga }];
    }),
  );
}

/** Hides values, not what stands under a property that is called `password`. */
function hideNames(schema: unknown, hide: Hide): unknown {
  if (Array.isArray(schema)) return schema.map((item: unknown) => hideNames(item, hide));
  if (typeof schema !== "object" || schema === null) return hide(schema);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, hideNames(value, hide)]));
}

interface Steps {
  calls: ReadonlyMap<string, StepCalls>;
  hide: Hide;
}

function nodeDocument(node: SagaNode, steps: Steps): RawMap {
  switch (node.type) {
    case "step":
      return stepDocument(node, steps);
    case "parallel":
      return { parallel: node.branches.map((branch) => stepDocument(branch, steps)) };
    case "signal": {
      const timeout = node.timeoutMs === undefined ? undefined : durationText(node.timeoutMs);
      return { name: node.name, signal: node.signal, timeout };
    }
    case "sleep":
      return { name: node.name, sleep: durationText(node.delayMs) };
    default:
      return node satisfies never;
  }
}

function stepDocument({ name, timeoutMs, retry, inDoubt, pivot }: StepNode, { calls, hide }: Steps): RawMap {
  const { execute, compensate, verify } = calls.get(name) ?? {};
  const callDocument = (call: CallConfig | undefined) => call && hide(call);
  return {
    name,
    execute: callDocument(execute),
    compensate: callDocument(compensate),
    verify: callDocument(verify),
    timeout: durationText(timeoutMs),
    retry: {
      attempts: retry.attempts,
      backoff: `${durationText(retry.minMs)}..${durationText(retry.maxMs)}`,
    },
    inDoubt,
    pivot: pivot || undefined,
  };
}
