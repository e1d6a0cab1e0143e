import { formatScore } from "../../core/base/index.ts";
import { attributeOf, childrenOf, type Element, idOf, rcMeaning, walk } from "../../core/cib/index.ts";
import { expectWords, parseArguments } from "./arguments.ts";
import { requireResource, resourcesWithin } from "./edits.ts";
import { type Command, CommandError } from "./level.ts";
import { completeNodes, completeResources } from "./names.ts";
import { constraintsOf } from "./resource-edits.ts";
import { renderResources } from "./status-text.ts";
import { asRecord, openStore } from "./store.ts";
import { alignColumns, formatMs, formatTime } from "./text.ts";
import { allResources, findView, type ResourceView } from "./view.ts";
import { readView } from "./view-read.ts";

const status: Command = {
  name: "status",
  aliases: ["show", "list"],
  usage: "[RESOURCE...] [--json]",
  help: "whether and where resources run",
  run: async (args, context) => {
    const { words, flag } = parseArguments(args, { json: "flag" }, "status [RESOURCE...] [--json]");
    const view = await readView(context);
    const chosen: readonly ResourceView[] = words.length === 0 ? view.resources : words.map((id) => requireView(findView(view, id), id));
    if (flag("json")) context.terminal.out(JSON.stringify(chosen, null, 2));
    else for (const line of renderResources(chosen)) context.terminal.out(line);
    return true;
  },
  complete: completeResources,
};

function requireView(found: ResourceView | undefined, id: string): ResourceView {
  if (found === undefined) throw new CommandError(`no such resource: ${id}`);
  return found;
}

const locate: Command = {
  name: "locate",
  usage: "[RESOURCE...]",
  help: "the nodes where resources run, one line each",
  run: async (args, context) => {
    const view = await readView(context);
    const chosen =
      args.length === 0
        ? [...allResources(view.resources)].filter((item) => item.kind === "primitive")
        : args.map((id) => requireView(findView(view, id), id));
    for (const resource of chosen) {
      if (resource.nodes.length === 0) context.terminal.out(`resource ${resource.id} is NOT running`);
      for (const node of resource.nodes) {
        context.terminal.out(`resource ${resource.id} is running on: ${node}${resource.role === "Promoted" ? " Promoted" : ""}`);
      }
    }
    return true;
  },
  complete: completeResources,
};

const operations: Command = {
  name: "operations",
  usage: "[RESOURCE] [NODE]",
  help: "what agents were asked to do, and what came of it",
  run: async (args, context) => {
    expectWords(args, 0, 2, "operations [RESOURCE] [NODE]");
    const { configuration, status: live } = await openStore(context).read();
    const wanted = args[0] === undefined ? null : namesIn(requireResource(configuration, args[0]), args[0]);
    const rows = live === null ? [] : operationRows(live, wanted, args[1] ?? null);
    for (const line of alignColumns(rows)) context.terminal.out(line);
    return true;
  },
  complete: async (args, context) => (args.length <= 1 ? completeResources(args, context) : completeNodes(args, context)),
};

function namesIn(resource: Element, id: string): ReadonlySet<string> {
  return new Set([id, ...resourcesWithin(resource).map((item) => idOf(item) ?? "")]);
}

function operationRows(live: Element, wanted: ReadonlySet<string> | null, node: string | null): string[][] {
  const rows: string[][] = [];
  for (const state of childrenOf(live, "node_state")) {
    const name = attributeOf(state, "uname") ?? "";
    if (node !== null && name !== node) continue;
    for (const history of walk(state)) {
      if (history.name !== "lrm_resource") continue;
      const id = (idOf(history) ?? "").replace(/:\d+$/, "");
      if (wanted !== null && !wanted.has(id)) continue;
      for (const op of childrenOf(history, "lrm_rsc_op")) rows.push(operationRow(id, name, op));
    }
  }
  return rows;
}

function operationRow(resource: string, node: string, op: Element): string[] {
  const rc = Number(attributeOf(op, "rc-code") ?? "193");
  const changedSec = Number(attributeOf(op, "last-rc-change") ?? "0");
  const pending = attributeOf(op, "op-status") === "-1";
  const intervalMs = Number(attributeOf(op, "interval") ?? "0");
  return [
    resource,
    node,
    `${attributeOf(op, "operation") ?? ""}${intervalMs > 0 ? ` every ${formatMs(intervalMs)}` : ""}`,
    pending ? "in flight" : `${rc} (${rcMeaning(rc)})`,
    attributeOf(op, "exec-time") === undefined ? "" : formatMs(Number(attributeOf(op, "exec-time"))),
    changedSec > 0 ? formatTime(changedSec * 1000) : "",
    attributeOf(op, "exit-reason") ?? "",
  ];
}

const constraints: Command = {
  name: "constraints",
  usage: "RESOURCE",
  help: "constraints that name the resource",
  run: async (args, context) => {
    expectWords(args, 1, 1, "constraints RESOURCE");
    const { configuration } = await openStore(context).read();
    requireResource(configuration, args[0]!);
    for (const constraint of constraintsOf(configuration, args[0]!)) {
      const facts = Object.entries(constraint.attributes).filter(([name]) => name !== "id");
      context.terminal.out(
        `${constraint.name} ${idOf(constraint) ?? ""} ${facts.map(([name, value]) => `${name}=${value}`).join(" ")}`.trimEnd(),
      );
    }
    return true;
  },
  complete: completeResources,
};

const scores: Command = {
  name: "scores",
  usage: "[RESOURCE]",
  help: "how much each node is wanted for a resource, as of the last computation",
  run: async (args, context) => {
    expectWords(args, 0, 1, "scores [RESOURCE]");
    if (!openStore(context).live) throw new CommandError("scores are those of the running cluster; for a file use `quorate simulate -s`");
    const answer = asRecord(await (await context.api()).request("policy"));
    const rows = (Array.isArray(answer["scores"]) ? answer["scores"].map(asRecord) : []).filter(
      (row) => args.length === 0 || row["resource"] === args[0],
    );
    if (args.length === 1 && rows.length === 0) throw new CommandError(`no scores of ${args[0]}`);
    const lines = rows.map((row) => [String(row["resource"]), String(row["node"]), formatScore(Number(row["score"]))]);
    for (const line of alignColumns(lines)) context.terminal.out(line);
    return true;
  },
  complete: completeResources,
};

/** Commands that only ask. */
export const queryCommands: readonly Command[] = [status, locate, operations, constraints, scores];
