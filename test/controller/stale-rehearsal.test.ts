import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalText, element } from "../../src/core/cib/index.ts";
import type { PlannedTransition } from "../../src/core/controller/index.ts";
import { emptyGraph } from "../../src/core/transition/index.ts";
import { exited, MiniCluster } from "./mini-cluster.ts";

const schedule = (): PlannedTransition => ({ graph: emptyGraph(), summary: [], placements: null, scores: null, recheckAtMs: null });
const agents = () => ({ outcome: exited(0), tookMs: 5 });

const set = (value: string) => element("cluster_property_set", { id: "s" }, [element("nvpair", { id: "s-v", name: "chaos", value })]);
const change = (before: string | null, after: string) => ({
  edits: [{ section: "crm_config", id: "s", before: before === null ? null : canonicalText(set(before)), after: set(after) }],
});

test("a member that lags behind refuses no change for what was so long ago", () => {
  const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"]);
  const leader = cluster.leader();
  assert.ok(leader);
  const late = [...cluster.nodes.values()].find((node) => node !== leader);
  assert.ok(late);
  const accepted = (answer: unknown): void => assert.ok(!(answer as { error?: unknown }).error, JSON.stringify(answer));
  accepted(leader.request("config.commit", change(null, "old")));
  cluster.run(500);
  cluster.cut.add(`${leader.name}>${late.name}`);
  accepted(leader.request("config.commit", change("old", "new")));
  cluster.at(150, () => cluster.cut.clear());
  // Asked while this member still holds "old".
  accepted(late.request("config.commit", change("new", "newest")));
  const refused = late.request("config.commit", change("new", "other")) as { error?: { code: string } };
  assert.equal(refused.error?.code, "CIB_CONFLICT");
});
