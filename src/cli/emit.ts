// `haraka emit`: files for those who run the container, written from the config alone: probes, grace periods, labels and routes that
// fit what the runtime does. What would not fit is refused with the sum.
import { CONFIG_FLAGS } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

export const emit: Verb = {
  name: "emit",
  common: false,
  summary: "write files for Compose, Kubernetes, systemd or Traefik",
  takes: "compose|kubernetes|systemd|traefik",
  flags: {
    ...CONFIG_FLAGS,
    out: { type: "string", short: "o", value: "DIR", help: "folder to write into; default: standard output" },
    image: { type: "string", value: "IMAGE", help: "default: haraka-runtime, for kubernetes runtime.name" },
    replicas: { type: "string", value: "COUNT", help: "how many containers; default: 1" },
    ...JSON_FLAG,
  },
  examples: [
    ["emit compose -o .", "compose.yaml, beside runtime.yaml"],
    ["emit kubernetes --image registry.example/shop:7 --replicas 3 | kubectl apply -f -", "a rolling update"],
    ["emit systemd -c /etc/shop/runtime.yaml -o /etc/systemd/system", "a unit"],
  ],
  async run(args, io) {
    const { emitFiles } = await import("./emission.ts");
    return emitFiles(args, io);
  },
};
