// `haraka completion`: a script that teaches a shell the verbs, their flags, and the names of the running services.
import { ExitCode, UsageError } from "../errors.ts";
import { SOCKET_FLAGS } from "./config-flags.ts";
import { JSON_FLAG, type Verb } from "./verb.ts";

const WORDS = ["bash", "zsh", "fish"] as const;

/** `verbs` is asked when the verb runs: it is one of them. */
export function completionOf(verbs: () => readonly Verb[]): Verb {
  return {
    name: "completion",
    common: false,
    summary: "print the completion script of a shell",
    takes: "bash|zsh|fish",
    flags: {
      services: { type: "boolean", help: "print the names of the running services, as the scripts do" },
      ...SOCKET_FLAGS,
      ...JSON_FLAG,
    },
    examples: [
      ["completion bash >> ~/.bash_completion", "bash"],
      ["completion zsh > ~/.zfunc/_haraka", "zsh, with that folder in fpath"],
      ["completion fish > ~/.config/fish/completions/haraka.fish", "fish"],
    ],
    async run(args, io) {
      const json = args.flags["json"] === true;
      if (args.flags["services"] === true) {
        const { connect } = await import("./client.ts");
        const { allServices } = await import("./picture.ts");
        const names = (await allServices(await connect(args, io))).map(({ name }) => name);
        io.stdout(json ? `${JSON.stringify(names)}\n` : names.map((name) => `${name}\n`).join(""));
        return ExitCode.ok;
      }
      const [word, ...more] = args.positionals;
      const shell = WORDS.find((known) => known === word);
      if (shell === undefined || more.length > 0)
        throw new UsageError(`cannot complete for '${args.positionals.join(" ")}': name bash, zsh or fish`);
      const { scriptFor } = await import("./completion-scripts.ts");
      const script = scriptFor(shell, verbs());
      io.stdout(json ? `${JSON.stringify({ shell, script })}\n` : script);
      return ExitCode.ok;
    },
  };
}
