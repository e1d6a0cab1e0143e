import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { type AgentCatalog, joinLines, NO_AGENTS } from "../../core/crm/index.ts";
import { openAgentCatalog } from "./agent-metadata.ts";
import { configureLevel } from "./configure.ts";
import type { CliContext, CliOptions, Level } from "./level.ts";
import { CommandError } from "./level.ts";
import { textLines } from "./lines.ts";
import { DEFAULT_PREFERENCES } from "./preferences.ts";
import { rootLevel } from "./root.ts";
import { Shell } from "./shell.ts";
import type { Terminal } from "./terminal.ts";

/** One request of `configure --server`: a configuration, lines to type, and what to show afterwards. */
type Request = {
  readonly id: unknown;
  readonly baseXml: string;
  readonly files: Readonly<Record<string, string>>;
  readonly commands: readonly string[];
  readonly shows: readonly string[];
  readonly needs: readonly string[];
};

type Shown = { readonly rc: number; readonly text: string };
type Answer = {
  readonly id: unknown;
  readonly rc: number;
  readonly err: string;
  readonly xml: string;
  readonly show: string;
  readonly shows: Readonly<Record<string, Shown>>;
};

/** One request, bytes of UTF-8. */
const REQUEST_BYTES_MAX = 64 * 1024 * 1024;

const refused = (err: string): Answer => ({ id: null, rc: 1, err, xml: "", show: "", shows: {} });

/**
 * `quorate configure --server`: a JSON object a line in, one a line out. Every request works on a file of its own in an
 * empty directory. Agents are asked once for the life of the server. Returns the exit code.
 */
export async function runConfigureServer(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<number> {
  const agents = openAgentCatalog({ ...process.env, QUORATE_AGENT_CHECKS: "on" });
  for await (const line of textLines(input, REQUEST_BYTES_MAX)) {
    if (line.kind === "line" && line.text.trim() === "") continue;
    const answer = line.kind === "bad" ? refused(`ERROR: ${line.reason}`) : await answerLine(line.text, agents);
    output.write(`${JSON.stringify(answer)}\n`);
  }
  return 0;
}

async function answerLine(line: string, agents: AgentCatalog): Promise<Answer> {
  const request = readRequest(line);
  if (typeof request === "string") return refused(request);
  const directory = mkdtempSync(join(tmpdir(), "quorate-configure-"));
  const home = process.cwd();
  try {
    const path = join(directory, "cib.xml");
    writeFileSync(path, request.baseXml);
    for (const [name, text] of Object.entries(request.files)) writeFileSync(inside(directory, name), text);
    process.chdir(directory);
    return await answerRequest(request, path, request.needs.includes("no-agent-checks") ? NO_AGENTS : agents);
  } catch (error) {
    // Whatever one request does, the others are answered; the sender sees what was wrong with this one.
    return { ...refused(`ERROR: ${error instanceof Error ? error.message : String(error)}\n`), id: request.id };
  } finally {
    process.chdir(home);
    rmSync(directory, { recursive: true, force: true });
  }
}

function readRequest(line: string): Request | string {
  try {
    const given = JSON.parse(line) as Partial<Request>;
    const list = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
    return {
      id: given.id ?? null,
      baseXml: String(given.baseXml ?? ""),
      files: given.files ?? {},
      commands: list(given.commands),
      shows: list(given.shows),
      needs: list(given.needs),
    };
  } catch (error) {
    return `ERROR: the request is no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A file of the request must not leave its directory. */
function inside(directory: string, name: string): string {
  const path = resolve(directory, name);
  if (!path.startsWith(directory + sep) || dirname(path) !== directory) throw new CommandError(`not a plain file name: ${name}`);
  return path;
}

async function answerRequest(request: Request, path: string, agents: AgentCatalog): Promise<Answer> {
  const run = await runLines(request.commands, path, agents);
  const xml = await runLines(["show xml"], path, agents);
  const show = await runLines(["show"], path, agents);
  const shows: Record<string, Shown> = {};
  for (const words of request.shows) {
    const shown = await runLines([`show ${words}`], path, agents);
    shows[words] = { rc: shown.rc, text: shown.out };
  }
  return { id: request.id, rc: request.commands.length === 0 ? 0 : run.rc, err: run.err, xml: xml.out, show: show.out, shows };
}

/** Types lines at the `configure` level of a fresh shell over the file, as a batch would. */
async function runLines(lines: readonly string[], path: string, agents: AgentCatalog): Promise<{ rc: number; out: string; err: string }> {
  const terminal = capturingTerminal();
  const context = fileContext(path, terminal);
  const root = rootLevel();
  const levels = root.levels.filter((level) => level.name !== "configure");
  const configure = { name: "configure", help: "the configuration", load: async (): Promise<Level> => configureLevel(agents) };
  const shell = new Shell({ ...root, levels: [...levels, configure] }, context);
  let ok = (await shell.run("configure")).ok;
  for (const { text } of joinLines(lines.join("\n"))) {
    if (text.trim() === "" || text.trimStart().startsWith("#")) continue;
    const result = await shell.run(text);
    if (!result.ok) ok = false;
    if (result.quit) break;
  }
  if (!(await shell.leaveAll())) ok = false;
  return { rc: ok ? 0 : 1, ...terminal.captured() };
}

function fileContext(path: string, terminal: Terminal): CliContext {
  const options: CliOptions = {
    force: false,
    no: false,
    wait: false,
    debug: false,
    display: "plain",
    cibFile: path,
    shadow: null,
    socketPath: "",
  };
  return {
    terminal,
    mode: "batch",
    options,
    preferences: DEFAULT_PREFERENCES,
    interrupt: () => {},
    interrupted: false,
    api: async () => {
      throw new CommandError("this command needs a cluster, and there is only a file");
    },
    afterChange: async () => {},
  };
}

type CapturingTerminal = Terminal & { readonly captured: () => { out: string; err: string } };

function capturingTerminal(): CapturingTerminal {
  let out = "";
  let err = "";
  return {
    interactive: false,
    color: false,
    write: (text) => {
      out += text;
    },
    out: (line) => {
      out += `${line}\n`;
    },
    error: (message) => {
      err += `ERROR: ${message}\n`;
    },
    warn: (message) => {
      err += `WARNING: ${message}\n`;
    },
    info: (message) => {
      err += `INFO: ${message}\n`;
    },
    confirm: async (_question, safe) => safe,
    captured: () => ({ out, err }),
  };
}
