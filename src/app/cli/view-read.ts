import { createHash } from "node:crypto";
import type { Element } from "../../core/cib/index.ts";
import type { CliContext } from "./level.ts";
import { asRecord, openStore } from "./store.ts";
import type { ClusterView } from "./view.ts";

/** Reads the cluster's (or the file's) state and says what is where. */
export async function readView(context: CliContext): Promise<ClusterView> {
  if (context.options.cibFile === null && context.options.shadow === null) {
    return viewOf(asRecord(await (await context.api()).request("status")));
  }
  const { configuration, status } = await openStore(context).read();
  const children = status === null ? [configuration] : [configuration, status];
  return viewOfCib({ name: "cib", attributes: {}, children }, Date.now());
}

/** The view in a `status` answer, at the cluster's own time. */
export async function viewOf(answer: Readonly<Record<string, unknown>>): Promise<ClusterView> {
  const cib = answer["cib"];
  if (cib === null || cib === undefined) return { resources: [], failures: [], nodes: [], failCounts: [], notices: [] };
  const clockMs = answer["clockMs"];
  return viewOfCib(cib as Element, typeof clockMs === "number" && clockMs > 0 ? clockMs : Date.now());
}

/** Read by the policy engine itself, so that people see what it acts on. */
export async function viewOfCib(cib: Element, nowMs: number): Promise<ClusterView> {
  const [{ readModel }, { viewFromModel }] = await Promise.all([import("../../core/policy/index.ts"), import("./view-model.ts")]);
  const hash = (text: string): string => createHash("md5").update(text).digest("hex");
  return viewFromModel(readModel(cib, nowMs, hash));
}
