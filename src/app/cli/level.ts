import type { ApiClient } from "../../io/api/index.ts";
import type { Preferences } from "./preferences.ts";
import type { Terminal } from "./terminal.ts";

/** How text is shown: `color` only where the output is a terminal, `color-always` anywhere. */
export type DisplayStyle = "plain" | "color" | "uppercase";

/** The options that stand before the level (CRM-CLI §1), after defaults. */
export type CliOptions = {
  readonly force: boolean;
  /** Answer no to every question. */
  readonly no: boolean;
  /** After every changing command wait until the cluster is idle. */
  readonly wait: boolean;
  readonly debug: boolean;
  readonly display: DisplayStyle;
  /** A plain configuration file instead of a daemon. */
  readonly cibFile: string | null;
  /** Name of the shadow configuration in use. */
  readonly shadow: string | null;
  /** Path of the daemon's API socket. */
  readonly socketPath: string;
};

/**
 * How the program was entered: one command line, a text of commands, or a person at a prompt. In batch, questions take
 * their safe answer and the end of the text commits.
 */
export type CliMode = "one-shot" | "batch" | "interactive";

/** What every level and command gets. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly mode: CliMode;
  /** Options as they are now: `cib use` changes the shadow. */
  options: CliOptions;
  /** What this person and this machine want their own way; `options set` changes it. */
  preferences: Preferences;
  /** The one connection to the daemon, opened at first use. Throws `ApiFault` (`API_UNREACHABLE`). */
  api(): Promise<ApiClient>;
  /** Breaks off what the daemon was asked, as Ctrl-C wants it: it fails, and the next request connects anew. */
  interrupt(): void;
  /** Set by `interrupt`; whoever runs the next line clears it. */
  interrupted: boolean;
  /** With `-w`: waits until the cluster is idle. Called after every changing command. */
  afterChange(): Promise<void>;
}

/** A command that was refused or failed; its message goes to the person as `ERROR: `, its exit code is 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** A word that may be typed next, for completion. */
export type Completion = { readonly word: string; readonly help?: string };

export type Command = {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** The arguments, as in `R [NODE] [LIFETIME]`. */
  readonly usage: string;
  /** One line: what it does. */
  readonly help: string;
  /** Returns false when it failed and has said why. Throws `CommandError` or a `QuorateError` to have it said. */
  readonly run: (args: readonly string[], context: CliContext) => Promise<boolean>;
  readonly complete?: (args: readonly string[], context: CliContext) => Promise<readonly Completion[]>;
};

/** One directory of the shell. Names of commands and of levels below share one space of words. */
export interface Level {
  readonly name: string;
  readonly help: string;
  readonly commands: readonly Command[];
  readonly levels: readonly LevelEntry[];
  /**
   * When set, the level reads its lines itself, words and quoting included (`configure`): it gets the raw line and
   * returns false when the command failed. Words that it does not know it leaves to the shell with `unknown`.
   */
  readonly runLine?: (line: string, context: CliContext) => Promise<boolean | "unknown">;
  /** Called when the level is left or the text ends. Returns false to stay (the person said no). */
  readonly leave?: (context: CliContext) => Promise<boolean>;
  readonly complete?: (line: string, context: CliContext) => Promise<readonly Completion[]>;
}

/** A level below, loaded when it is entered, so that starting up does not read every module. */
export type LevelEntry = {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly help: string;
  readonly load: () => Promise<Level>;
};
