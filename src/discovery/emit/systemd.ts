// A unit for systemd: it waits for READY=1, is watched by its own signs of life, and gives a stop the time that the config takes.
import { type Deployment, type Emitted, headerOf } from "./deployment.ts";

/** A runtime whose loop has stood still for so long is no use any more. */
const WATCHDOG_S = 30;
/** For what comes before the runtime's own clock begins to count. */
const MARGIN_S = 5;

export function emitSystemd({ name, config, timings, files }: Deployment): Emitted {
  const words = files.names.flatMap((file) => ["-c", quoted(`${files.folder}/${file}`)]);
  const unit = `[Unit]
Description=${config.runtime.name}, run by Haraka Runtime
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/local/bin/haraka run ${words.join(" ")}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1s
# The config cannot be used: another try is no use.
RestartPreventExitStatus=2
${environmentOf(name, config.variables)}StateDirectory=${name}
TimeoutStartSec=${Math.ceil(timings.startMs / 1_000) + MARGIN_S}s
TimeoutStopSec=${timings.graceMs / 1_000}s
WatchdogSec=${WATCHDOG_S}s
KillMode=mixed
KillSignal=SIGTERM

[Install]
WantedBy=multi-user.target
`;
  return new Map([[`${name}.service`, headerOf("systemd") + unit]]);
}

/** The file is not written: what it has is nobody's but its owner's. */
function environmentOf(name: string, variables: readonly string[]): string {
  if (variables.length === 0) return "";
  return `# Has ${variables.join(", ")}.\nEnvironmentFile=/etc/${name}.env\n`;
}

/** One word for systemd, which knows quotes, and specifiers after a percent sign. */
function quoted(word: string): string {
  const safe = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(safe) ? safe : `"${safe.replace(/["\\]/g, "\\$&")}"`;
}
