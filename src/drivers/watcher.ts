// Says which of some files may have changed. The kernel tells it about folders, one watch for each that holds or may come to hold
// such a file, so that files which are replaced, removed and made anew are seen, too. It never polls, and never reads a file: whether
// one has really changed is for others to find out.
import { type FSWatcher, readdirSync, realpathSync, statSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";

/** Files below a folder, those to come included. */
export interface Tree {
  folder: string;
  matches(path: string): boolean;
  /** Whether a folder of this path may hold some. */
  enters(folder: string): boolean;
}

export interface Watched {
  /** Absolute; they need not exist. */
  files: Iterable<string>;
  trees: readonly Tree[];
}

export interface WatcherOptions {
  clock: Pick<Clock, "after" | "now">;
  /** Told of what may have changed, once it has been quiet for a moment. */
  onTouched(paths: readonly string[]): void;
  /** Told, once, why something cannot be watched. */
  onProblem(reason: string): void;
}

/** An editor that saves, or a checkout, touches several files one after the other. */
const QUIET_MS = 50;
/** What is touched again and again is not waited for. */
const PATIENCE_MS = 500;

interface Folder {
  inode: number;
  watcher: FSWatcher;
  /** It was removed or moved. One of the same name may be there again, even with the same inode. */
  isGone: boolean;
}

export class Watcher {
  readonly #options: WatcherOptions;
  readonly #folders = new Map<string, Folder>();
  #files: ReadonlySet<string> = new Set();
  #trees: readonly Tree[] = [];
  /** Where links lead, and the files behind which they stand. */
  #links: ReadonlyMap<string, string> = new Map();
  readonly #touched = new Set<string>();
  /** The folders are not what they were. */
  #isStale = false;
  #isBroken = false;
  #sinceMs: number | undefined;
  #cancel = () => {};

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** From now on it is about these. */
  use({ files, trees }: Watched): void {
    const isFirst = this.#folders.size === 0;
    this.#files = new Set(files);
    this.#trees = trees;
    const opened = this.#look();
    if (!isFirst) opened.forEach((folder) => this.#touchAllIn(folder));
    this.#arm();
  }

  close(): void {
    this.#cancel();
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #onEvent(folder: string, event: string, name: string | null): void {
    const path = name === null ? folder : join(folder, name);
    this.#touch(path);
    if (event === "rename") {
      for (const each of [this.#folders.get(path), isItself(path, folder) && this.#folders.get(folder)])
        if (each) each.isGone = true;
      this.#isStale ||= this.#isAboutFolders(path, folder);
    }
    this.#arm();
  }

  #touch(path: string): void {
    const file = this.#links.get(path) ?? path;
    const isOf = (tree: Tree) => isWithin(file, tree.folder) && tree.matches(file);
    if (this.#files.has(file) || this.#trees.some(isOf)) this.#touched.add(file);
  }

  #touchAllIn(folder: string): void {
    for (const { name } of entriesIn(folder)) this.#touch(join(folder, name));
  }

  /** A folder has come or gone, or a link leads elsewhere. */
  #isAboutFolders(path: string, folder: string): boolean {
    if (this.#folders.has(path) || (this.#links.size > 0 && this.#files.has(path))) return true;
    const known = this.#folders.get(folder);
    return (
      !known || known.isGone || statOf(folder)?.ino !== known.inode || statOf(path)?.isDirectory() === true
    );
  }

  /** Tells once it has been quiet for a moment. */
  #arm(): void {
    if (this.#touched.size === 0 && !this.#isStale) return;
    const { clock } = this.#options;
    this.#sinceMs ??= clock.now();
    this.#cancel();
    const leftMs = this.#sinceMs + PATIENCE_MS - clock.now();
    this.#cancel = clock.after(Math.max(0, Math.min(QUIET_MS, leftMs)), () => this.#tell());
  }

  #tell(): void {
    this.#sinceMs = undefined;
    if (this.#isStale) this.#look().forEach((folder) => this.#touchAllIn(folder));
    const paths = [...this.#touched].sort();
    this.#touched.clear();
    if (paths.length > 0) this.#options.onTouched(paths);
  }

  /** Watches the folders that there are now. Returns those that are new: what is in them may be new, too. */
  #look(): string[] {
    this.#isStale = false;
    this.#links = linksOf(this.#files);
    const wanted = foldersOf([...this.#files, ...this.#links.keys()], this.#trees);
    for (const [folder, { inode, isGone, watcher }] of this.#folders) {
      if (wanted.get(folder) === inode && !isGone) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    const opened = [...wanted].filter(([folder]) => !this.#folders.has(folder));
    for (const [folder, inode] of opened) this.#open(folder, inode);
    return opened.map(([folder]) => folder);
  }

  #open(folder: string, inode: number): void {
    try {
      const watcher = watch(folder, (event, name) => this.#onEvent(folder, event, name));
      watcher.on("error", (error) => this.#fail(folder, error));
      this.#folders.set(folder, { inode, watcher, isGone: false });
    } catch (error) {
      this.#fail(folder, error);
    }
  }

  #fail(folder: string, error: unknown): void {
    // One that has gone is no trouble: the folder above tells when it is there again.
    if (this.#isBroken || statOf(folder) === undefined) return;
    this.#isBroken = true;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const isFull = code === "ENOSPC" || code === "EMFILE";
    const hint = isFull ? "; raise fs.inotify.max_user_watches and max_user_instances" : "";
    this.#options.onProblem(`cannot watch ${folder}: ${messageOf(error)}${hint}`);
  }
}

/** The folders to watch, with their inodes: for what is not there yet, the nearest one above it that is. */
function foldersOf(files: readonly string[], trees: readonly Tree[]): Map<string, number> {
  const found = new Map<string, number>();
  const add = (folder: string): boolean => {
    const stat = statOf(folder);
    if (!stat?.isDirectory()) return false;
    found.set(folder, stat.ino);
    return true;
  };
  const addNearest = (folder: string): boolean => {
    for (let at = folder; !add(at); at = dirname(at)) if (at === dirname(at)) return false;
    return found.has(folder);
  };
  const enter = (folder: string, tree: Tree): void => {
    for (const entry of entriesIn(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && tree.enters(path) && add(path)) enter(path, tree);
    }
  };
  for (const folder of new Set(files.map((file) => dirname(file)))) addNearest(folder);
  for (const tree of trees) if (addNearest(tree.folder)) enter(tree.folder, tree);
  return found;
}

/** From where the links among the files lead to them. */
function linksOf(files: ReadonlySet<string>): Map<string, string> {
  const links = new Map<string, string>();
  for (const file of files) {
    try {
      const real = realpathSync(file);
      if (real !== file) links.set(real, file);
    } catch {
      // Not there.
    }
  }
  return links;
}

/** The kernel tells of the folder's own end with the folder's own name. */
const isItself = (path: string, folder: string): boolean =>
  path === folder || (basename(path) === basename(folder) && statOf(path) === undefined);

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false });

const isWithin = (path: string, folder: string): boolean =>
  path.startsWith(folder === "/" ? "/" : `${folder}/`);

function entriesIn(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
