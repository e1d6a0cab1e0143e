import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Checks the architecture: who imports whom, what `core` may know, that each room has a door and a page. The rules are
 * the tables of `docs/architecture.md`; this file only knows how to read them and the code.
 */
export type Offence = { readonly file: string; readonly line: number; readonly rule: Rule; readonly what: string };

export type Rule =
  | "no-files"
  | "unknown-room"
  | "no-door"
  | "no-readme"
  | "references"
  | "core-types"
  | "core-package"
  | "core-word"
  | "deep-import"
  | "not-allowed"
  | "own-tests";

type Rooms = ReadonlyMap<string, readonly string[]>;
type Import = { readonly specifier: string; readonly line: number };

/** Words that would let a clock, chance, the machine's language or a promise into `core`. */
const CORE_WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bDate\b/u, "Date"],
  [/\bMath\s*\.\s*random\b/u, "Math.random"],
  [/\b(?:async|await)\b/u, "async"],
  [/\b(?:localeCompare|Intl|toLocale\w+)\b/u, "localeCompare"],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|performance|process|globalThis|fetch|console)\b/u, "a global of the machine"],
];

export function checkRooms(root: string): Offence[] {
  const rooms = readTable(join(root, "docs/architecture.md"));
  const files = listFiles(join(root, "src"));
  if (files.length === 0 || rooms.size === 0)
    return [{ file: "src", line: 0, rule: "no-files", what: "saw no files, or no table of rooms" }];
  const offences = files.flatMap((file) => checkFile(root, file, rooms));
  return [...offences, ...checkFolders(root, rooms, files)];
}

function readTable(file: string): Rooms {
  const rooms = new Map<string, readonly string[]>();
  for (const line of existsSync(file) ? readFileSync(file, "utf8").split("\n") : []) {
    const match = /^\| `((?:core|io|app)\/[a-z]+)` \| ([^|]*) \|/u.exec(line);
    if (match === null) continue;
    const [, room = "", cell = ""] = match;
    const allowed = cell.trim() === "-" ? [] : cell.split(",").map((name) => name.trim());
    rooms.set(
      room,
      allowed.map((name) => (name.includes("/") ? name : `${room.split("/")[0]}/${name}`)),
    );
  }
  const all = [...rooms.keys()];
  for (const [room, allowed] of rooms) {
    if (room.startsWith("io/"))
      rooms.set(room, [...all.filter((name) => name.startsWith("core/")), ...(room === "io/wire" ? [] : ["io/wire"])]);
    if (room.startsWith("app/")) rooms.set(room, [...all.filter((name) => !name.startsWith("app/")), ...allowed]);
  }
  return rooms;
}

function listFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return listFiles(path);
      return name.endsWith(".ts") ? [path] : [];
    });
}

/** `src/core/policy/unpack/x.ts` → `core/policy`. */
function roomOf(root: string, file: string): string {
  return relative(join(root, "src"), file).split(sep).slice(0, 2).join("/");
}

/** The folder whose `index.ts` is the door that a file stands behind: its room, or the sub-room of `policy`. */
function houseOf(root: string, file: string): string {
  const parts = relative(root, dirname(file)).split(sep);
  return parts.slice(0, 4).join("/");
}

function checkFile(root: string, file: string, rooms: Rooms): Offence[] {
  const name = relative(root, file);
  const room = roomOf(root, file);
  const source = readFileSync(file, "utf8");
  const { code, imports } = scan(source);
  const offences: Offence[] = [];
  const add = (line: number, rule: Rule, what: string): void => {
    offences.push({ file: name, line, rule, what });
  };
  for (const { specifier, line } of imports) checkImport({ root, file, room, specifier, rooms }, (rule, what) => add(line, rule, what));
  if (name.endsWith(".test.ts")) add(1, "own-tests", "tests live in test/, not beside the code");
  if (room.startsWith("core/")) {
    code.split("\n").forEach((text, at) => {
      for (const [word, label] of CORE_WORDS) if (word.test(text)) add(at + 1, "core-word", `${label} in core`);
    });
  }
  return offences;
}

type Crossing = { readonly root: string; readonly file: string; readonly room: string; readonly specifier: string; readonly rooms: Rooms };

function checkImport(crossing: Crossing, add: (rule: Rule, what: string) => void): void {
  const { root, file, room, specifier, rooms } = crossing;
  if (!specifier.startsWith(".")) {
    if (room.startsWith("core/")) add("core-package", `core imports the package "${specifier}"`);
    return;
  }
  const target = normalize(join(dirname(file), specifier));
  const targetRoom = roomOf(root, target);
  const door = target.endsWith(`${sep}index.ts`);
  if (targetRoom === room) {
    const house = houseOf(root, target);
    const sub = house.split("/").length > 3;
    if (sub && house !== houseOf(root, file) && !door && room === "core/policy")
      add("deep-import", `past the door of ${house}: ${specifier}`);
    return;
  }
  if (!(rooms.get(room) ?? []).includes(targetRoom)) add("not-allowed", `${room} may not import ${targetRoom}`);
  else if (!door || dirname(relative(join(root, "src"), target)).split(sep).length !== 2)
    add("deep-import", `past the door of ${targetRoom}: ${specifier}`);
}

function checkFolders(root: string, rooms: Rooms, files: readonly string[]): Offence[] {
  const offences: Offence[] = [];
  const seen = new Set(files.map((file) => roomOf(root, file)));
  for (const room of [...seen].sort()) {
    const folder = `src/${room}`;
    if (!rooms.has(room)) {
      offences.push({ file: folder, line: 0, rule: "unknown-room", what: "not in the tables of docs/architecture.md" });
      continue;
    }
    // A program that no other room imports needs no door beside its entry.
    const doors = room.startsWith("app/") ? ["index.ts", "main.ts"] : ["index.ts"];
    if (!doors.some((door) => existsSync(join(root, folder, door))))
      offences.push({ file: folder, line: 0, rule: "no-door", what: "has no index.ts" });
    if (!existsSync(join(root, folder, "README.md"))) offences.push({ file: folder, line: 0, rule: "no-readme", what: "has no README.md" });
    offences.push(...checkProject(root, room, rooms.get(room) ?? []));
  }
  return offences;
}

function checkProject(root: string, room: string, allowed: readonly string[]): Offence[] {
  const file = `src/${room}/tsconfig.json`;
  if (!existsSync(join(root, file))) return [{ file, line: 0, rule: "references", what: "is missing" }];
  const project = JSON.parse(readFileSync(join(root, file), "utf8")) as {
    compilerOptions?: { types?: string[]; lib?: string[] };
    references?: { path: string }[];
  };
  const offences: Offence[] = [];
  const references = (project.references ?? []).map(({ path }) => relative(join(root, "src"), resolve(root, "src", room, path)));
  for (const reference of references) {
    if (!allowed.includes(reference))
      offences.push({ file, line: 0, rule: "references", what: `refers to ${reference}, which the table does not allow` });
  }
  if (room.startsWith("core/") && ((project.compilerOptions?.types ?? []).length > 0 || project.compilerOptions?.lib !== undefined)) {
    offences.push({ file, line: 0, rule: "core-types", what: "core has no types or libraries beyond the base" });
  }
  return offences;
}

/** Text without comments and without the insides of strings, line by line as it was, and the imports it makes. */
function scan(source: string): { code: string; imports: Import[] } {
  const withStrings = blank(source, { strings: false });
  const imports: Import[] = [];
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(["'])([^"'\n]+)\1/gu;
  for (const match of withStrings.matchAll(pattern)) {
    imports.push({ specifier: match[2] ?? "", line: source.slice(0, match.index).split("\n").length });
  }
  return { code: blank(source, { strings: true }), imports };
}

const REGEX_MAY_FOLLOW = /(?:^|[=(,:;[!&|?{}+\-*%<>~^]|\breturn|\btypeof|\bcase)\s*$/u;

function blank(source: string, { strings }: { strings: boolean }): string {
  let out = "";
  let at = 0;
  const skip = (end: number, hide: boolean): void => {
    out += hide ? source.slice(at, end).replace(/[^\n]/gu, " ") : source.slice(at, end);
    at = end;
  };
  while (at < source.length) {
    const two = source.slice(at, at + 2);
    const char = source[at] ?? "";
    if (two === "//") skip(endOf(source, "\n", at), true);
    else if (two === "/*") skip(endOf(source, "*/", at + 2) + 2, true);
    else if (char === '"' || char === "'") skip(endOfQuoted(source, at, char), strings);
    else if (char === "`") skip(endOfTemplate(source, at), false);
    else if (char === "/" && REGEX_MAY_FOLLOW.test(out.slice(-40))) skip(endOfRegex(source, at), true);
    else skip(at + 1, false);
  }
  return out;
}

function endOf(source: string, mark: string, from: number): number {
  const end = source.indexOf(mark, from);
  return end < 0 ? source.length : end;
}

function endOfQuoted(source: string, from: number, quote: string): number {
  let at = from + 1;
  while (at < source.length && source[at] !== quote && source[at] !== "\n") at += source[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** A template is kept as code: what stands in `${}` is code, and the rest names no forbidden word by accident. */
function endOfTemplate(source: string, from: number): number {
  let at = from + 1;
  while (at < source.length && source[at] !== "`") at += source[at] === "\\" ? 2 : 1;
  return at + 1;
}

function endOfRegex(source: string, from: number): number {
  let at = from + 1;
  let inClass = false;
  while (at < source.length && source[at] !== "\n" && (inClass || source[at] !== "/")) {
    if (source[at] === "[") inClass = true;
    if (source[at] === "]") inClass = false;
    at += source[at] === "\\" ? 2 : 1;
  }
  return at + 1;
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === resolve(process.argv[1])) {
  const root = process.argv[2] ?? process.cwd();
  const offences = checkRooms(root);
  for (const { file, line, rule, what } of offences) console.log(`${file}:${line}: ${rule}: ${what}`);
  console.log(`check-rooms: ${offences.length} offences`);
  process.exitCode = offences.length === 0 ? 0 : 1;
}
