import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  attributeOf,
  type CibState,
  childOf,
  childrenOf,
  decodeSnapshot,
  type Element,
  element,
  renderConfiguration,
  type SnapshotData,
  withChildren,
} from "../../core/cib/index.ts";
import { expectWords, parseArguments } from "./arguments.ts";
import { editsBetween, withSection } from "./edits.ts";
import { type CliContext, type Command, CommandError } from "./level.ts";
import { replaceFile } from "./replace-file.ts";
import { asRecord, liveStore } from "./store.ts";

/** Milliseconds `force-new-cluster` may take: the daemon reopens its store and elects itself. */
const FORCE_TIMEOUT_MS = 90_000;
/** Milliseconds until the first member of a restored cluster is made. */
const INIT_TIMEOUT_MS = 60_000;

const backup: Command = {
  name: "backup",
  usage: "FILE",
  help: "write everything that is replicated to FILE (mode 0600: it holds the secrets of agents), then read it back",
  run: async (args, context) => {
    expectWords(args, 1, 1, "backup FILE");
    const path = args[0]!;
    const made = await (await context.api()).request("cluster.backup");
    let said = "";
    const check = (written: string): void => {
      const { name, state, sha256 } = readBackup(written);
      said = `${path}: cluster ${name} at index ${state.index}, sha256 ${sha256}`;
    };
    replaceFile(path, `${JSON.stringify(made)}\n`, { mode: 0o600, check });
    context.terminal.info(said);
    return true;
  },
};

type ReadBackup = { readonly state: CibState; readonly name: string; readonly sha256: string; readonly createdAt: Date };

/** Reads a backup and proves that it is whole. Throws `CommandError` for everything else. */
export function readBackup(path: string): ReadBackup {
  let plain: Readonly<Record<string, unknown>>;
  try {
    plain = asRecord(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new CommandError(`${path} is no backup: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (plain["format"] !== "quorate-backup") throw new CommandError(`${path} is no backup of Quorate`);
  if (plain["version"] !== 1) throw new CommandError(`${path} is a backup of form ${String(plain["version"])}; this build reads form 1`);
  const sha256 = createHash("sha256").update(JSON.stringify(plain["snapshot"])).digest("hex");
  if (sha256 !== plain["sha256"]) throw new CommandError(`${path} is damaged: its checksum does not fit its content`);
  const state = stateOf(plain["snapshot"], path);
  if (state.cluster === null) throw new CommandError(`${path} is the backup of a member that belonged to no cluster yet`);
  // The head is beside the checksum; what it says twice must agree, and its time must be one.
  const createdAt = new Date(Number(plain["createdAtMs"]));
  if (plain["index"] !== state.index || Number.isNaN(createdAt.getTime()))
    throw new CommandError(`${path} is damaged: its head does not fit its content`);
  return { state, name: state.cluster.name, sha256, createdAt };
}

/** A checksum only proves that the content is as it was written, not that this build can read it. */
function stateOf(snapshot: unknown, path: string): CibState {
  try {
    return decodeSnapshot(snapshot as SnapshotData);
  } catch (error) {
    throw new CommandError(`${path} holds no state that this build reads: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const restore: Command = {
  name: "restore",
  usage: "FILE [--dry-run]",
  help: "bring the configuration of a backup back; on a daemon without a cluster it forms that cluster anew first",
  run: async (args, context) => {
    const usage = "restore FILE [--dry-run]";
    const { words, flag } = parseArguments(args, { "dry-run": "flag" }, usage);
    expectWords(words, 1, 1, usage);
    const path = words[0]!;
    const { state, name, createdAt } = readBackup(path);
    context.terminal.info(`${path}: cluster ${name} at index ${state.index}, written ${createdAt.toISOString()}; intact`);
    if (!(await formedFor(name, flag("dry-run"), context))) return true;
    const store = liveStore(context);
    const { configuration } = await store.read();
    const { after, absent } = restoredConfiguration(configuration, renderConfiguration(state));
    const edits = editsBetween(configuration, after);
    if (absent.length > 0) context.terminal.warn(`attributes of ${absent.join(", ")} wait: restore again once these nodes have joined`);
    context.terminal.info(`${edits.length} objects differ`);
    for (const edit of flag("dry-run") ? edits : []) {
      context.terminal.out(`${edit.after === null ? "delete" : edit.before === null ? "create" : "replace"} ${edit.section} ${edit.id}`);
    }
    if (edits.length === 0 || flag("dry-run")) return true;
    if (!(await context.terminal.confirm("Replace the configuration of the running cluster", false))) {
      context.terminal.error("not confirmed; -F restores without a question, --dry-run shows what would change");
      return false;
    }
    await store.commit(edits, false);
    await context.afterChange();
    return true;
  },
};

/** Makes the cluster on a daemon that has none. False: a dry run has nothing more to show. */
async function formedFor(name: string, dryRun: boolean, context: CliContext): Promise<boolean> {
  const api = await context.api();
  const phase = asRecord(await api.request("ping"))["phase"];
  if (phase === "member") return true;
  if (dryRun) {
    context.terminal.info(`this daemon belongs to no cluster: ${name} would be formed here, with the whole configuration`);
    return false;
  }
  await api.request("cluster.init", { name }, { timeoutMs: INIT_TIMEOUT_MS });
  context.terminal.info(`cluster ${name} formed anew; let the other nodes join it`);
  return true;
}

/** The backup's configuration with the nodes of this cluster, which keep their ids and take the backup's attributes. */
export function restoredConfiguration(present: Element, saved: Element): { readonly after: Element; readonly absent: readonly string[] } {
  const nodes = childOf(present, "nodes") ?? element("nodes");
  const savedNodes = childrenOf(childOf(saved, "nodes") ?? element("nodes"), "node");
  const nameOf = (node: Element): string => (attributeOf(node, "uname") ?? "").toLowerCase();
  const merged = nodes.children.map((node) => {
    const before = savedNodes.find((candidate) => nameOf(candidate) === nameOf(node));
    return before === undefined ? node : withChildren(node, before.children);
  });
  const here = new Set(nodes.children.map(nameOf));
  const absent = savedNodes
    .filter((node) => node.children.length > 0 && !here.has(nameOf(node)))
    .map((node) => attributeOf(node, "uname") ?? "");
  return { after: withSection(saved, withChildren(nodes, merged)), absent };
}

const force: Command = {
  name: "force-new-cluster",
  usage: "CLUSTER",
  help: "more than half of the votes are lost for good: this member alone becomes the cluster; type the cluster's name",
  run: async (args, context) => {
    expectWords(args, 0, 1, "force-new-cluster CLUSTER");
    const api = await context.api();
    const name = String(asRecord(await api.request("cluster.status"))["name"]);
    if (args[0] !== name) {
      for (const line of INTERLOCK) context.terminal.warn(line);
      throw new CommandError(`to go on, type the cluster's name: cluster force-new-cluster ${name}`);
    }
    const done = asRecord(await api.request("cluster.forceNew", { confirm: name }, { timeoutMs: FORCE_TIMEOUT_MS }));
    const lost = Array.isArray(done["lost"]) ? done["lost"].map(String) : [];
    context.terminal.info(`${String(done["node"])} is the cluster now, alone`);
    for (const node of lost) {
      context.terminal.info(`${node}: once it is certainly down, \`node clearstate ${node}\`, then \`cluster remove ${node}\``);
    }
    return true;
  },
};

/** What a person must know before the last resort. No option skips it: the name has to be typed. */
const INTERLOCK: readonly string[] = [
  "This is the last resort, for the loss of more than half of the votes for good.",
  "If any other member still runs, or comes back with its old store, there will be two clusters with one name:",
  "power the others off first, and erase their stores before they join again.",
  "Changes that only lost members had acknowledged are gone. Resources of lost nodes stay blocked until you confirm them down.",
];

/** Commands for the days when things are lost. */
export const recoveryCommands: readonly Command[] = [backup, restore, force];
