import { createInterface } from "node:readline";

/** Where text comes from and goes to. Data goes to `out`, everything about the work itself to the error stream. */
export interface Terminal {
  /** A person can answer questions. */
  readonly interactive: boolean;
  readonly color: boolean;
  /** Text as it is; nothing is added. */
  write(text: string): void;
  /** A line of data. */
  out(line: string): void;
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  /** Asks yes or no. Where nobody can answer, `safe` is the answer: it must be the one that changes nothing. */
  confirm(question: string, safe: boolean): Promise<boolean>;
}

export type TerminalOptions = { readonly color: boolean; readonly interactive: boolean; readonly force: boolean; readonly no: boolean };

/** Asks in words and gives back the typed line. */
export type Asker = (question: string) => Promise<string>;

/** The process's own streams. `-F` answers yes, `-n` no. */
export function processTerminal(options: TerminalOptions): Terminal & { useAsker(asker: Asker | null): void } {
  let asker: Asker = askOnce;
  // Messages may go to a file while the data goes to a terminal. With colour and no terminal at all, it was asked for.
  const isColored = options.color && (process.stderr.isTTY === true || process.stdout.isTTY !== true);
  const paint = (code: string, text: string): string => (isColored ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    interactive: options.interactive,
    color: options.color,
    write: (text) => {
      process.stdout.write(text);
    },
    out: (line) => {
      process.stdout.write(`${line}\n`);
    },
    error: (message) => {
      process.stderr.write(`${paint("31", "ERROR")}: ${message}\n`);
    },
    warn: (message) => {
      process.stderr.write(`${paint("33", "WARNING")}: ${message}\n`);
    },
    info: (message) => {
      process.stderr.write(`INFO: ${message}\n`);
    },
    confirm: async (question, safe) => {
      if (options.force) return true;
      if (options.no) return false;
      if (!options.interactive) return safe;
      const answer = (await asker(`${question} (y/n)? `)).trim().toLowerCase();
      return answer === "y" || answer === "yes";
    },
    useAsker: (own) => {
      asker = own ?? askOnce;
    },
  };
}

/** For commands outside of the shell, which reads lines itself. Who goes away without an answer said nothing. */
async function askOnce(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise((resolve) => {
      lines.once("close", () => resolve(""));
      lines.question(question, resolve);
    });
  } finally {
    lines.close();
  }
}
