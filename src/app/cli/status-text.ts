import { asRecord } from "./store.ts";
import { alignColumns, formatMs, formatTime } from "./text.ts";
import { allResources, type ClusterView, type FailureView, type ResourceView } from "./view.ts";

/** What the daemon's `status` says, beside the view that is computed from its cib. */
export type StatusAnswer = Readonly<Record<string, unknown>>;

export type StatusWish = {
  /** Resources under the node where they run. */
  readonly byNode: boolean;
  /** Stopped resources too. */
  readonly inactive: boolean;
  readonly failCounts: boolean;
};

/** A status page for people, as lines. */
export function renderStatus(answer: StatusAnswer, view: ClusterView, wish: StatusWish): string[] {
  const sections: string[][] = [
    header(answer),
    nodeLines(answer, view),
    wish.byNode
      ? resourcesByNode(view)
      : ["Resources:", ...indented(emptyAs("(none)", renderResources(wish.inactive ? view.resources : active(view.resources))))],
  ];
  if (wish.byNode && wish.inactive)
    sections.push(["Inactive resources:", ...indented(emptyAs("(none)", renderResources(stopped(view.resources))))]);
  if (wish.failCounts) sections.push(["Fail counts:", ...indented(emptyAs("(none)", failCountLines(view)))]);
  if (view.failures.length > 0) sections.push(["Failed operations:", ...indented(view.failures.map(failureLine))]);
  const fencing = fencingLines(answer);
  if (fencing.length > 0) sections.push(["Fencing:", ...indented(fencing)]);
  const work = transitionLines(answer);
  if (work.length > 0) sections.push(["At work:", ...indented(work)]);
  const warnings = [...view.notices, ...warningLines(answer)];
  if (warnings.length > 0) sections.push(["Attention:", ...indented(warnings)]);
  return sections.flatMap((section, index) => (index === 0 ? section : ["", ...section]));
}

function header(answer: StatusAnswer): string[] {
  const cluster = answer["cluster"] === null ? null : asRecord(answer["cluster"]);
  if (cluster === null) return [`This daemon is no member of a cluster (${String(answer["phase"])}); see \`quorate help cluster\``];
  const leader = answer["leader"] === null || answer["leader"] === undefined ? "none" : String(asRecord(answer["leader"])["node"]);
  const stale = answer["stale"] === true ? " - what follows is what this node last knew" : "";
  return [
    `Cluster ${String(cluster["name"])}: ${answer["quorate"] === true ? "quorate" : "NO QUORUM"}, leader ${leader}, term ${String(answer["term"])}${stale}`,
    `Configuration epoch ${String(answer["epoch"])} at log index ${String(answer["index"])}${typeof answer["clockMs"] === "number" ? `, cluster time ${formatTime(answer["clockMs"])}` : ""}`,
  ];
}

function nodeLines(answer: StatusAnswer, view: ClusterView): string[] {
  const rows = rowsOf(answer["nodes"]).map((node) => {
    const name = String(node["name"]);
    const seen = view.nodes.find((item) => item.name === name);
    const state = [String(node["state"])];
    if (seen?.unclean === true) state.push("UNCLEAN");
    if (seen?.standby === true) state.push("standby");
    if (seen?.maintenance === true) state.push("maintenance");
    const votes = node["learner"] === true ? "learner" : `${String(node["votes"] ?? 0)} vote${node["votes"] === 1 ? "" : "s"}`;
    return [`${name}:`, state.join(", "), votes, guaranteeText(node)];
  });
  return ["Nodes:", ...indented(alignColumns(rows))];
}

/** What is proven when this node falls silent (RAFT.md §8). */
function guaranteeText(node: Readonly<Record<string, unknown>>): string {
  const tsafe =
    typeof node["tsafeMs"] === "number" && Number.isFinite(node["tsafeMs"])
      ? `; safe without fencing after ${formatMs(node["tsafeMs"])}`
      : "";
  if (node["witness"] === true) return "a witness: votes, runs nothing";
  switch (node["guarantee"]) {
    case "watchdog":
      return `guarded by watchdog${tsafe}`;
    case "guardian":
      return `guarded by guardian${tsafe}`;
    default:
      return "no guarantee: only confirmed fencing frees its resources";
  }
}

/** One line a resource, contained ones indented under their container. */
export function renderResources(views: readonly ResourceView[]): string[] {
  return views.flatMap((view) => renderResource(view));
}

function renderResource(view: ResourceView): string[] {
  if (view.kind === "primitive") return [primitiveLine(view)];
  const label = view.kind === "clone" ? (view.promotable ? "promotable clone" : "clone") : view.kind;
  const heading = `${view.id} (${label})${flagText(view)}:`;
  const lines =
    view.kind === "clone" && view.children.every((child) => child.kind === "primitive")
      ? instanceLines(view)
      : view.children.flatMap(renderResource);
  return [heading, ...indented(lines)];
}

/** Instances with nothing special are told by role; the others have their line. */
function instanceLines(clone: ResourceView): string[] {
  const plain = clone.children.filter((child) => child.flags.every((flag) => clone.flags.includes(flag)) && child.pending === null);
  const roles = ["Promoted", "Unpromoted", "Started"].flatMap((role) => {
    const nodes = plain.filter((child) => child.role === role).flatMap((child) => child.nodes);
    return nodes.length === 0 ? [] : [`${role}: ${nodes.join(", ")}`];
  });
  const special = clone.children.filter((child) => !plain.includes(child));
  const lines = [...special.map(primitiveLine), ...roles];
  return lines.length === 0 ? ["Stopped"] : lines;
}

function primitiveLine(view: ResourceView): string {
  const where = view.nodes.length === 0 ? "" : ` ${view.nodes.join(", ")}`;
  const pending = view.pending === null ? "" : ` (${view.pending})`;
  return `${view.id} (${view.agent ?? "?"}): ${view.role}${where}${flagText(view)}${pending}`;
}

function flagText(view: ResourceView): string {
  return view.flags.length === 0 ? "" : ` (${view.flags.join(", ")})`;
}

function active(views: readonly ResourceView[]): ResourceView[] {
  return views.filter(
    (view) =>
      view.kind !== "primitive" ||
      view.role !== "Stopped" ||
      view.flags.includes("FAILED") ||
      view.pending !== null ||
      !view.flags.includes("disabled"),
  );
}

function stopped(views: readonly ResourceView[]): ResourceView[] {
  return [...allResources(views)].filter((view) => view.kind === "primitive" && view.nodes.length === 0);
}

function resourcesByNode(view: ClusterView): string[] {
  const primitives = [...allResources(view.resources)].filter((item) => item.kind === "primitive");
  return view.nodes.flatMap((node) => [
    `On ${node.name}:`,
    ...indented(emptyAs("(nothing)", primitives.filter((item) => item.nodes.includes(node.name)).map(primitiveLine))),
  ]);
}

function failCountLines(view: ClusterView): string[] {
  return alignColumns(view.failCounts.map((item) => [item.resource, item.node, item.count >= 1_000_000 ? "INFINITY" : String(item.count)]));
}

function failureLine(failure: FailureView): string {
  const every = failure.intervalMs > 0 ? ` (every ${formatMs(failure.intervalMs)})` : "";
  const when = failure.atSec === null ? "" : ` at ${formatTime(failure.atSec * 1000)}`;
  const reason = failure.reason === null || failure.reason === "" ? "" : `: ${failure.reason}`;
  return `${failure.resource} ${failure.task}${every} on ${failure.node}: ${failure.rc} (${failure.meaning})${when}${reason}`;
}

/** Newest fencings shown; `fencing history` has them all. */
const FENCINGS_SHOWN_MAX = 5;

function fencingLines(answer: StatusAnswer): string[] {
  const fencing = asRecord(answer["fencing"]);
  const pending = rowsOf(fencing["pending"]).map((item) => {
    const current =
      item["current"] === null || item["current"] === undefined
        ? ""
        : ` by ${String(asRecord(item["current"])["device"])} on ${String(asRecord(item["current"])["by"])}`;
    const failure = typeof item["lastFailure"] === "string" ? `; last failure: ${item["lastFailure"]}` : "";
    const safe = typeof item["tsafeInMs"] === "number" ? `; safe without a device in ${formatMs(Math.max(0, item["tsafeInMs"]))}` : "";
    return `pending: ${String(item["action"])} of ${String(item["target"])} (${String(item["reason"])})${current}${failure}${safe}`;
  });
  const history = rowsOf(fencing["history"])
    .slice(0, FENCINGS_SHOWN_MAX)
    .map((item) => {
      const took =
        typeof item["startedMs"] === "number" && typeof item["finishedMs"] === "number"
          ? ` in ${formatMs(item["finishedMs"] - item["startedMs"])}`
          : "";
      const when = typeof item["finishedMs"] === "number" ? ` at ${formatTime(item["finishedMs"])}` : "";
      const detail = typeof item["detail"] === "string" && item["detail"] !== "" ? `: ${item["detail"]}` : "";
      return `${String(item["action"])} of ${String(item["target"])} ${item["ok"] === true ? "done" : "FAILED"} by ${String(item["by"])}${took}${when} (${String(item["reason"])})${detail}`;
    });
  return [...pending, ...history];
}

function transitionLines(answer: StatusAnswer): string[] {
  const transition = asRecord(answer["transition"]);
  const lines = rowsOf(transition["inFlight"]).map(
    (item) => `${String(item["task"])} of ${String(item["resource"])} on ${String(item["node"])}`,
  );
  if (typeof transition["waiting"] === "number" && transition["waiting"] > 0) lines.push(`${transition["waiting"]} more to come`);
  return lines;
}

function warningLines(answer: StatusAnswer): string[] {
  const lines = (Array.isArray(answer["warnings"]) ? answer["warnings"] : []).map(String);
  const failure = answer["policyFailure"];
  if (failure !== null && failure !== undefined)
    lines.push(
      `the policy engine failed (${String(asRecord(failure)["code"])}): ${String(asRecord(failure)["message"])}; nothing new is started`,
    );
  return lines;
}

function rowsOf(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(asRecord) : [];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function emptyAs(text: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [text] : lines;
}
