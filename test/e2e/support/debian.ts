// Debian's packages for tests that need a tool or a piece of a root file system. What is missing is installed; what cannot be
// installed fails the test with apt's own words, never skips it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the system's tools are, those for root included, whoever called the tests. */
export const systemPath = `${process.env["PATH"]}:/usr/sbin:/sbin`;

/** Runs apt-get; when its lists are missing or old, once more after an update. `_apt` cannot enter a private folder, so no sandbox. */
function aptGet(args: readonly string[], cwd: string): void {
  const options = ["-qq", "-o", "APT::Sandbox::User=root", "-o", "DPkg::Lock::Timeout=120"];
  const env = { ...process.env, PATH: systemPath, DEBIAN_FRONTEND: "noninteractive" };
  if (spawnSync("apt-get", [...options, ...args], { cwd, env, stdio: "ignore" }).status === 0) return;
  execFileSync("apt-get", [...options, "update"], { env, stdio: ["ignore", "ignore", "inherit"] });
  execFileSync("apt-get", [...options, ...args], { cwd, env, stdio: ["ignore", "ignore", "inherit"] });
}

/** Installs those of `packages` that the machine lacks. */
export function installDebian(packages: readonly string[]): void {
  const missing = packages.filter((name) => {
    const query = spawnSync("dpkg-query", ["-W", "-f", "${Status}", name], { encoding: "utf8" });
    return query.stdout !== "install ok installed";
  });
  if (missing.length > 0) aptGet(["install", "-y", "--no-install-recommends", ...missing], "/");
}

/** Unpacks `packages` into `folder`, in this order, without running their scripts. */
export function unpackDebian(packages: readonly string[], folder: string): void {
  const downloads = mkdtempSync(join(tmpdir(), "haraka-debian-"));
  try {
    aptGet(["download", ...packages], downloads);
    const files = readdirSync(downloads);
    for (const name of packages) {
      const file = files.find((candidate) => candidate.startsWith(`${name}_`));
      if (file === undefined)
        throw new Error(`cannot unpack "${name}": apt-get download left ${files.join(", ")}`);
      execFileSync("dpkg", ["-x", join(downloads, file), folder]);
    }
  } finally {
    rmSync(downloads, { recursive: true });
  }
}
