import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { hint } from "../../core/base/index.ts";
import type { HighlightKind } from "../../core/crm/index.ts";
import { booleanOf } from "./arguments.ts";
import { CommandError } from "./level.ts";

/** What has a colour of its own in the text of a configuration, with the colour it has unless somebody wants another. */
export const HIGHLIGHTS: readonly { readonly kind: Exclude<HighlightKind, "plain">; readonly fallback: string; readonly help: string }[] = [
  { kind: "keyword", fallback: "bold cyan", help: "words of the language" },
  { kind: "identifier", fallback: "bold", help: "the id of an object" },
  { kind: "attr_name", fallback: "cyan", help: "names of parameters and attributes" },
  { kind: "attr_value", fallback: "red", help: "their values" },
  { kind: "resource_reference", fallback: "green", help: "resources that an object names" },
  { kind: "id_reference", fallback: "green", help: "other ids that an object names" },
  { kind: "score", fallback: "magenta", help: "scores and kinds of order" },
  { kind: "ticket", fallback: "magenta", help: "tickets" },
];

/** One thing that people may have their own way: where it stands in the file, what it takes, what it is otherwise. */
type PreferenceSpec = {
  readonly name: string;
  readonly kind: "text" | "yes-no" | "colors" | readonly string[];
  readonly fallback: string;
  readonly help: string;
};

const core = (name: string, kind: PreferenceSpec["kind"], fallback: string, help: string): PreferenceSpec => ({
  name: `core.${name}`,
  kind,
  fallback,
  help,
});

export const PREFERENCES: readonly PreferenceSpec[] = [
  core("editor", "text", "", "the editor of `configure edit` (else EDITOR, VISUAL, vi)"),
  core("pager", "text", "", "shows what is longer than the screen (else PAGER, less); `cat` shows it at once"),
  core("sort_elements", "yes-no", "yes", "`show` sorts by id; otherwise as the objects were made"),
  core("wait", "yes-no", "no", "after every changing command wait until the cluster is idle, as -w"),
  core("check_frequency", ["always", "on-verify", "never"], "on-verify", "when agents are asked about parameters and operations"),
  core("check_mode", ["strict", "relaxed"], "strict", "does what agents complain of stop a commit, or is it only told"),
  core("manage_children", ["ask", "always", "never"], "ask", "does `resource start` and the like take away what members say of their own"),
  core("obscure_pattern", "text", "passw*", "names whose values no screen shows, as globs"),
  { name: "path.history", kind: "text", fallback: "", help: "the file of typed lines" },
  { name: "report.from_time", kind: "text", fallback: "", help: "where the logs of a report begin, as journalctl takes it" },
  { name: "report.sanitize_pattern", kind: "text", fallback: "", help: "further names whose values a report leaves out, as globs" },
  {
    name: "color.style",
    kind: ["plain", "color", "color-always", "uppercase"],
    fallback: "color",
    help: "how text is shown, as -D",
  },
  ...HIGHLIGHTS.map(({ kind, fallback, help }): PreferenceSpec => ({ name: `color.${kind}`, kind: "colors", fallback, help })),
];

const COLOR_WORDS = ["normal", "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white", "bold", "underline", "reverse"];

/** Everything that has a preference, by `section.name`. */
export type Preferences = ReadonlyMap<string, string>;

export const DEFAULT_PREFERENCES: Preferences = new Map(PREFERENCES.map(({ name, fallback }) => [name, fallback]));

export function preference(preferences: Preferences, name: string): string {
  return preferences.get(name) ?? "";
}

export function isOn(preferences: Preferences, name: string): boolean {
  return booleanOf(preference(preferences, name)) === true;
}

/** Globs of names whose values are hidden on screens. */
export function secretNames(preferences: Preferences): readonly string[] {
  return preference(preferences, "core.obscure_pattern")
    .split(/[\s,;|]+/)
    .filter((glob) => glob !== "");
}

/** `SECTION.NAME`, or the name alone where it is one of `core`; dashes are as good as underscores. */
export function specOf(typed: string): PreferenceSpec {
  const name = typed.toLowerCase().replaceAll("-", "_");
  const found = PREFERENCES.find((spec) => spec.name === name || spec.name === `core.${name}`);
  if (found !== undefined) return found;
  const names = PREFERENCES.flatMap((spec) => [spec.name, spec.name.replace(/^core\./, "")]);
  throw new CommandError(`there is no option '${typed}'${hint(name, names)}`);
}

/** With one value changed; a value that the option does not take is a `CommandError`. */
export function withPreference(preferences: Preferences, typed: string, value: string): Preferences {
  const spec = specOf(typed);
  return new Map([...preferences, [spec.name, checked(spec, value)]]);
}

function checked(spec: PreferenceSpec, value: string): string {
  if (spec.kind === "text") return value;
  if (spec.kind === "yes-no") {
    const on = booleanOf(value);
    if (on === undefined) throw new CommandError(`${spec.name} takes yes or no, not '${value}'`);
    return on ? "yes" : "no";
  }
  const words = spec.kind === "colors" ? value.toLowerCase().split(/[\s,]+/) : [value.toLowerCase()];
  const known = spec.kind === "colors" ? COLOR_WORDS : spec.kind;
  const wrong = words.find((word) => !known.includes(word));
  if (wrong !== undefined) throw new CommandError(`${spec.name} takes ${known.join(", ")}, not '${wrong}'${hint(wrong, known)}`);
  return words.join(" ");
}

/** `SECTION.NAME=VALUE` of the option `-o`. */
export function withOneOff(preferences: Preferences, text: string): Preferences {
  const at = text.indexOf("=");
  if (at <= 0) throw new CommandError(`-o takes SECTION.NAME=VALUE, not '${text}'`);
  return withPreference(preferences, text.slice(0, at), text.slice(at + 1));
}

/** Where preferences are kept: the system's first, so that a person's own win. */
export function preferenceFiles(environment: NodeJS.ProcessEnv = process.env): { readonly system: string; readonly user: string } {
  return {
    system: join(environment["QUORATE_CONFIG_DIR"] ?? "/etc/quorate", "crm.conf"),
    user: join(environment["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "quorate", "crm.conf"),
  };
}

/** Reads both files. A word that means nothing here is passed over, as files of crmsh hold more; a bad value is told. */
export function readPreferences(warn: (message: string) => void, environment: NodeJS.ProcessEnv = process.env): Preferences {
  const { system, user } = preferenceFiles(environment);
  let preferences = DEFAULT_PREFERENCES;
  for (const path of [system, user]) {
    for (const { name, value } of entriesOf(path)) {
      if (!preferences.has(name)) continue;
      try {
        preferences = withPreference(preferences, name, value);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        warn(`${path}: ${error.message}`);
      }
    }
  }
  return preferences;
}

function entriesOf(path: string): { readonly name: string; readonly value: string }[] {
  let section = "";
  return textOf(path)
    .split(/\r?\n/)
    .flatMap((line) => {
      const heading = /^\s*\[([^\]]+)\]/.exec(line)?.[1];
      if (heading !== undefined) section = heading.trim().toLowerCase();
      const pair = /^\s*([A-Za-z_][\w-]*)\s*[=:]\s*(.*?)\s*$/.exec(line);
      if (heading !== undefined || pair === null) return [];
      return [{ name: `${section}.${(pair[1] ?? "").toLowerCase().replaceAll("-", "_")}`, value: pair[2] ?? "" }];
    });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Most people have none; one that is there and cannot be read is told.
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw new CommandError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Writes what differs from the defaults into the person's own file; entries of other programs in it stay. */
export function savePreferences(preferences: Preferences, environment: NodeJS.ProcessEnv = process.env): string {
  const { user } = preferenceFiles(environment);
  const kept = entriesOf(user).filter(({ name }) => !DEFAULT_PREFERENCES.has(name));
  const own = [...preferences].filter(([name, value]) => DEFAULT_PREFERENCES.get(name) !== value);
  const all = [...own.map(([name, value]) => ({ name, value })), ...kept];
  const sections = [...new Set(all.map(({ name }) => name.split(".")[0] ?? ""))];
  const text = sections.map((section) => {
    const lines = all
      .filter(({ name }) => name.startsWith(`${section}.`))
      .map(({ name, value }) => `${name.slice(section.length + 1)} = ${value}`);
    return `[${section}]\n${lines.join("\n")}\n`;
  });
  try {
    mkdirSync(dirname(user), { recursive: true, mode: 0o700 });
    writeFileSync(user, text.join("\n"), { mode: 0o600 });
  } catch (error) {
    throw new CommandError(`cannot write ${user}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return user;
}
