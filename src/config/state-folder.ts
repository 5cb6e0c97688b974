// The state folder, and what the config puts into it: the control socket and the log file. It makes paths and checks what can be
// checked of them as text; it creates and opens nothing.
import type { ControlConfig, LogConfig } from "./config.ts";
import { resolvePath } from "./files.ts";
import type { Path } from "./path.ts";
import type { RawDocument } from "./schema.ts";

/** `HARAKA_DATA`, else the first folder of systemd's `STATE_DIRECTORY`, else `data`; absolute. */
export function stateFolderOf(
  env: Readonly<Record<string, string | undefined>>,
  { cwd }: { cwd: string },
): string {
  const [systemd] = (env["STATE_DIRECTORY"] ?? "").split(":");
  return resolvePath(cwd, env["HARAKA_DATA"] || systemd || "data");
}

export interface StateScope {
  stateFolder: string;
  /** As `process.platform` has it. */
  platform: string;
  /** Whether the files say something at this path (defaults do not count). */
  written(path: Path): boolean;
  report(path: Path, message: string): void;
}

const SOCKET = ["control", "socket"];

export function resolveControl(
  { socket, token }: RawDocument["control"],
  { stateFolder, platform, written, report }: StateScope,
): ControlConfig {
  const path = socket && resolvePath(stateFolder, socket);
  const socketNamed = written(SOCKET);
  // The default one is gone without where it cannot be opened, whatever the reason.
  if (path !== false && socketNamed) {
    const problem = socketProblem(path, platform);
    if (problem !== undefined) report(SOCKET, problem);
  }
  return { socket: path, socketNamed, ...(token !== "" && { token }) };
}

/** The kernels keep a socket's path in a fixed field: `sun_path` of `sockaddr_un`, with a NUL at its end. */
function socketProblem(path: string, platform: string): string | undefined {
  const [system, bytesMax] = platform === "darwin" ? ["macOS", 103] : ["Linux", 107];
  const bytes = new TextEncoder().encode(path).length;
  if (bytes <= bytesMax) return undefined;
  return `cannot have a socket at "${path}": the path is ${bytes} bytes long, and ${system} takes ${bytesMax}; use a shorter one, as \`/run/haraka.sock\`, or a shorter state folder (HARAKA_DATA)`;
}

export function resolveLog(
  { format, level, overflow, ring, file }: RawDocument["runtime"]["log"],
  { stateFolder }: { stateFolder: string },
): LogConfig {
  return {
    format,
    level,
    overflow,
    ringBytes: ring,
    ...(file && {
      file: { path: resolvePath(stateFolder, file.path), maxBytes: file.maxSize, keep: file.keep },
    }),
  };
}
