// Objects for Kubernetes: a Deployment with probes and grace period, a Service, and an IngressRoute of Traefik for each route. The
// image has the config in it. Requires Kubernetes 1.29 and Traefik's definitions where there are routes.
import {
  type Deployment,
  type Emitted,
  headerOf,
  keepsData,
  portOf,
  routers,
  yamlFile,
} from "./deployment.ts";

export function emitKubernetes(deployment: Deployment): Emitted {
  const ports = portsOf(deployment);
  const documents = [
    deploymentObject(deployment, ports),
    ...(ports.length > 0 ? [serviceObject(deployment, ports)] : []),
    ...(keepsData(deployment) ? [claimObject(deployment)] : []),
    ...routeObjects(deployment),
  ];
  const { config, name } = deployment;
  const hint = `The Secret "${secretOf(name)}" has to have ${config.variables.join(", ")}.`;
  const header = headerOf("kubernetes", config.variables.length > 0 ? [hint] : []);
  return new Map([["kubernetes.yaml", yamlFile(header, documents)]]);
}

/** Has the variables that the config names. */
const secretOf = (name: string): string => `${name}-env`;

const HEALTH = "http";
/** Of the image. */
const USER = 65_532;

interface Port {
  name: string;
  port: number;
}

function portsOf(deployment: Deployment): Port[] {
  const { config } = deployment;
  const own = config.http ? config.http.port : undefined;
  const others = routers(deployment).map((router) => portOf(router, config));
  const all = [...new Set([own, ...others].filter((port) => port !== undefined))];
  return all.map((port) => ({ name: port === own ? HEALTH : `port-${port}`, port }));
}

const labelsOf = (name: string) => ({ "app.kubernetes.io/name": name });

function deploymentObject(deployment: Deployment, ports: readonly Port[]) {
  const { name, replicas, timings } = deployment;
  const keeps = keepsData(deployment);
  const data = keeps ? { persistentVolumeClaim: { claimName: `${name}-data` } } : { emptyDir: {} };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels: labelsOf(name) },
    spec: {
      replicas,
      selector: { matchLabels: labelsOf(name) },
      // A file of a database has one holder.
      strategy: keeps
        ? { type: "Recreate" }
        : { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: labelsOf(name) },
        spec: {
          terminationGracePeriodSeconds: timings.graceMs / 1_000,
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: USER, runAsGroup: USER, fsGroup: USER },
          containers: [containerOf(deployment, ports)],
          volumes: [{ name: "data", ...data }],
        },
      },
    },
  };
}

function containerOf({ name, image, config, timings }: Deployment, ports: readonly Port[]) {
  const get = (path: string) => ({ httpGet: { path, port: HEALTH } });
  const command = (flag: string) => ({ exec: { command: ["/haraka", "health", flag] } });
  const ask = (flag: "live" | "ready" | "startup") =>
    config.http ? get(`/health/${flag}`) : command(`--${flag}`);
  return {
    name,
    image,
    env: [
      ...config.variables.map((variable) => ({
        name: variable,
        valueFrom: { secretKeyRef: { name: secretOf(name), key: variable } },
      })),
      { name: "HARAKA_DATA", value: "/data" },
      { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
    ],
    ...(ports.length > 0 && {
      ports: ports.map(({ name: portName, port }) => ({ name: portName, containerPort: port })),
    }),
    // A second for each try, as many as the start may take.
    startupProbe: {
      ...ask("startup"),
      periodSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: Math.ceil(timings.startMs / 1_000) + 1,
    },
    readinessProbe: { ...ask("ready"), periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 1 },
    livenessProbe: { ...ask("live"), periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 3 },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [{ name: "data", mountPath: "/data" }],
  };
}

function serviceObject({ name }: Deployment, ports: readonly Port[]) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels: labelsOf(name) },
    spec: {
      selector: labelsOf(name),
      ports: ports.map(({ name: portName, port }) => ({ name: portName, port, targetPort: portName })),
    },
  };
}

function claimObject({ name }: Deployment) {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: `${name}-data`, labels: labelsOf(name) },
    spec: { accessModes: ["ReadWriteOncePod"], resources: { requests: { storage: "1Gi" } } },
  };
}

/** None where the runtime tells Traefik itself. */
function routeObjects({ config, name, namespace }: Deployment) {
  if (config.discovery?.traefik) return [];
  const all = routers({ config, namespace }).filter((router) => portOf(router, config) !== undefined);
  return all.map((router) => {
    const { rule, entryPoints, middlewares, priority, tls } = router.route;
    return {
      apiVersion: "traefik.io/v1alpha1",
      kind: "IngressRoute",
      metadata: { name: objectName(router.name), labels: labelsOf(name) },
      spec: {
        ...(entryPoints.length > 0 && { entryPoints }),
        routes: [
          {
            kind: "Rule",
            match: rule,
            ...(priority !== undefined && { priority }),
            ...(middlewares.length > 0 && { middlewares: middlewares.map((each) => ({ name: each })) }),
            services: [{ name, port: portOf(router, config) }],
          },
        ],
        ...(tls && {
          tls: {
            ...(tls.certResolver !== undefined && { certResolver: tls.certResolver }),
            ...(tls.options !== undefined && { options: { name: tls.options } }),
          },
        }),
      },
    };
  });
}

function objectName(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}
