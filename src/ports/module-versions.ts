// The code of modules over time. JavaScript loads a file once and keeps it; this is how another version of it is had in the same
// process, and how it is known of which files a module is made.

export interface ModuleVersions {
  /**
   * The files that a module is made of, absolute, itself first: what it imports, what that imports, and so on, but nothing
   * installed in `node_modules`. What it looks for in vain is among them.
   */
  filesOf(file: string): readonly string[];
  /**
   * From now on whoever imports one of these, or a file that leads to one, gets what is on disk then; all others keep what they
   * have. Returns a function that takes it back.
   */
  renew(files: readonly string[]): () => void;
  /** After an import of `file` has failed, which would be remembered: the next one is tried anew. */
  forgetFailure(file: string): void;
}
