import { CrmError } from "./errors.ts";
import { hint, OBJECT_ALIASES, OBJECT_TYPES } from "./words.ts";

/** Commands of the `configure` level besides the objects. */
export const CONFIGURE_COMMANDS: readonly string[] = [
  ...OBJECT_TYPES,
  ...OBJECT_ALIASES.keys(),
  "xml",
  "show",
  "edit",
  "filter",
  "delete",
  "rename",
  "modgroup",
  "set",
  "monitor",
  "default-timeouts",
  "refresh",
  "erase",
  "commit",
  "verify",
  "plan",
  "load",
  "save",
  "get_property",
  "schema",
  "upgrade",
  "ptest",
  "simulate",
  "graph",
  "rsctest",
  "validate-all",
  "cib",
  "cibstatus",
  "help",
  "ls",
  "cd",
  "up",
  "end",
  "back",
  "quit",
  "exit",
  "bye",
];

/** The level's command that a word means: exactly, by a unique beginning, or by a unique choice of its letters in order. */
export type Resolved = { readonly command: string; readonly exact: boolean };

/** Throws `CRM_UNKNOWN_COMMAND` (with the level, as crmsh writes it) or `CRM_AMBIGUOUS`. */
export function resolveCommand(level: string, word: string, commands: readonly string[]): Resolved {
  const lower = word.toLowerCase().replaceAll("-", "_");
  const plain = (command: string): string => command.replaceAll("-", "_");
  const exact = commands.find((command) => plain(command) === lower);
  if (exact !== undefined) return { command: exact, exact: true };
  const [begun, ...others] = commands.filter((command) => plain(command).startsWith(lower));
  if (begun !== undefined && others.length === 0) return { command: begun, exact: false };
  if (begun !== undefined) throw new CrmError("CRM_AMBIGUOUS", `${level}.${word}: ambiguous; it could be ${[begun, ...others].join(", ")}`);
  const [scattered, ...more] = commands.filter((command) => isScattered(lower, plain(command)));
  if (scattered !== undefined && more.length === 0) return { command: scattered, exact: false };
  throw new CrmError("CRM_UNKNOWN_COMMAND", `${level}.${word}: No such command${hint(word, commands)}`);
}

/** Do these letters occur in the command in this order, the first one first? At least two, so that a slip does little. */
function isScattered(letters: string, command: string): boolean {
  if (letters.length < 2 || letters[0] !== command[0]) return false;
  let at = 0;
  for (const letter of command) if (letter === letters[at]) at += 1;
  return at === letters.length;
}
