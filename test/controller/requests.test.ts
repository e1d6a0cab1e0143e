import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attributeOf, canonicalText, childrenOf, type Element, element } from "../../src/core/cib/index.ts";
import type { Effect, NodeEvent, Persist, PlannedTransition } from "../../src/core/controller/index.ts";
import { emptyGraph } from "../../src/core/transition/index.ts";
import { exited, MiniCluster, type MiniNode } from "./mini-cluster.ts";

const schedule = (): PlannedTransition => ({ graph: emptyGraph(), summary: [], placements: null, scores: null, recheckAtMs: null });
const agents = () => ({ outcome: exited(0), tookMs: 5 });

type Refused = { readonly error?: { readonly code: string; readonly message: string } };
const codeOf = (answer: unknown): string | null => (answer as Refused).error?.code ?? null;
const accepted = (answer: unknown): void => assert.equal(codeOf(answer), null, JSON.stringify(answer));

function formed(names = ["n1", "n2", "n3"]): { cluster: MiniCluster; leader: MiniNode; others: readonly [MiniNode, MiniNode] } {
  const cluster = MiniCluster.formed({ schedule, agents }, names);
  const leader = cluster.leader();
  assert.ok(leader);
  const [a, b] = [...cluster.nodes.values()].filter((node) => node !== leader);
  assert.ok(a && b);
  return { cluster, leader, others: [a, b] };
}

const set = (value: string): Element =>
  element("cluster_property_set", { id: "s" }, [element("nvpair", { id: "s-v", name: "note", value })]);
const edit = (before: Element | null, after: Element | null, id = "s") => ({
  section: "crm_config",
  id,
  before: before === null ? null : canonicalText(before),
  after,
});
const valueAt = (node: MiniNode): string | undefined => {
  const held = node.core.state.sections.crm_config.objects.get("s")?.element;
  const [pair] = held === undefined ? [] : childrenOf(held, "nvpair");
  return pair === undefined ? undefined : attributeOf(pair, "value");
};

describe("exactly once (RAFT.md §2 feature 18)", () => {
  /** The leader commits what a follower passed on, its answer is lost, and it dies: what does the follower say? */
  function leaderDiesBeforeItsAnswer(session: boolean): { answer: unknown; epochs: number; elapsedMs: number } {
    const { cluster, leader, others } = formed();
    const [asked] = others;
    const { client } = asked.request("session.open", {}) as { client: number };
    const before = asked.core.state.epoch;
    cluster.cut.add(`${leader.name}>${asked.name}`);
    cluster.at(40, () => {
      assert.equal(leader.core.state.epoch, before + 1, "the leader has committed it");
      leader.die();
      cluster.cut.clear();
    });
    const startedMs = cluster.nowMs;
    const place = session ? { session: { client, sequence: 1 } } : {};
    const answer = asked.request("config.commit", { edits: [edit(null, set("once"))], force: true, ...place });
    return { answer, epochs: asked.core.state.epoch - before, elapsedMs: cluster.nowMs - startedMs };
  }

  test("with a session the follower asks the next leader, and the change has happened once", () => {
    const { answer, epochs, elapsedMs } = leaderDiesBeforeItsAnswer(true);
    accepted(answer);
    assert.equal(epochs, 1);
    assert.ok(elapsedMs < 2_500, `${elapsedMs} ms`);
  });

  test("without one the outcome is unknown", () => {
    assert.equal(codeOf(leaderDiesBeforeItsAnswer(false).answer), "TIMEOUT");
  });

  test("a repeated request is answered as the first time, although the object was changed since", () => {
    const { leader, others } = formed();
    const [asked] = others;
    const { client } = asked.request("session.open", {}) as { client: number };
    const session = { client, sequence: 1 };
    const first = asked.request("config.commit", { edits: [edit(null, set("mine"))], session });
    accepted(first);
    accepted(leader.request("config.commit", { edits: [edit(set("mine"), set("theirs"))] }));
    const again = asked.request("config.commit", { edits: [edit(null, set("mine"))], session: { ...session, repeated: true } });
    assert.deepEqual(again, first);
    assert.equal(valueAt(leader), "theirs", "it was not run again");
  });

  test("a refused repetition takes the place of what may still be on its way", () => {
    const { cluster, leader, others } = formed();
    const { client } = leader.request("session.open", {}) as { client: number };
    accepted(leader.request("config.commit", { edits: [edit(null, set("theirs"))] }));
    const session = { client, sequence: 1, repeated: true };
    assert.equal(codeOf(leader.request("config.commit", { edits: [edit(set("old"), set("mine"))], session })), "CIB_CONFLICT");
    // The first sending arrives only now, and would fit again.
    accepted(leader.request("config.commit", { edits: [edit(set("theirs"), set("old"))] }));
    const late = { kind: "config.edit", edits: [edit(set("old"), set("mine"))] } as const;
    let outcome: unknown = null;
    leader.core.propose([late as never], 5_000, ([one]) => (outcome = one), { client, sequence: 1 });
    leader.deliver({ kind: "tick" });
    cluster.until("the late one is answered", 5_000, () => outcome !== null);
    assert.match(JSON.stringify(outcome), /CIB_CONFLICT/);
    assert.equal(valueAt(others[0]), "old");
  });

  test("a session that is gone is said so; after a lost answer that would be a lie", () => {
    const { leader } = formed();
    const params = { edits: [edit(null, set("x"))], session: { client: 999_999, sequence: 1 } };
    assert.equal(codeOf(leader.request("config.commit", params)), "SESSION_EXPIRED");
    const repeated = { ...params, session: { ...params.session, repeated: true } };
    assert.equal(codeOf(leader.request("config.commit", repeated)), "TIMEOUT");
    assert.equal(codeOf(leader.request("config.commit", { ...params, session: { client: -1, sequence: 1 } })), "BAD_REQUEST");
  });
});

describe("a member that lags behind decides nothing from what was", () => {
  test("`nothing to do` about an attribute is said of the present only", () => {
    const { cluster, leader, others } = formed();
    const [late] = others;
    accepted(leader.request("node.standby", { node: "n3", on: true }));
    cluster.run(500);
    cluster.cut.add(`${leader.name}>${late.name}`);
    accepted(leader.request("node.standby", { node: "n3", on: false }));
    cluster.at(150, () => cluster.cut.clear());
    // Here the node is still in standby.
    accepted(late.request("node.standby", { node: "n3", on: true }));
    const held = leader.core.state.sections.nodes.objects.get(leader.core.state.nodes.get("n3")?.id ?? "");
    assert.match(canonicalText(held?.element ?? element("none")), /standby/);
  });

  test("a node that it does not know yet is looked up before it is refused", () => {
    const { cluster, leader, others } = formed();
    const [late] = others;
    cluster.cut.add(`${leader.name}>${late.name}`);
    leader.command({ kind: "node.join", node: "n9", memberId: 99 as never });
    cluster.at(150, () => cluster.cut.clear());
    assert.equal(codeOf(late.request("node.attribute", { node: "n9", name: "a", value: "1" })), null);
    assert.equal(codeOf(late.request("node.attribute", { node: "n8", name: "a", value: "1" })), "NODE_UNKNOWN");
  });
});

describe("removal", () => {
  test("a member whose node was forgotten is taken out by the leader, or by a second request", () => {
    for (const asked of [true, false]) {
      const { cluster, leader, others } = formed();
      const [, victim] = others;
      // The first step of a removal, as a daemon leaves it that is killed before the second.
      leader.command({ kind: "node.forget", node: victim.name });
      assert.ok(leader.core.raftStatus.configuration.members.has(victim.id));
      if (asked) accepted(leader.request("cluster.remove", { node: victim.name }));
      cluster.until("removed", asked ? 10 : 6_000, () => !leader.core.raftStatus.configuration.members.has(victim.id));
      assert.equal(codeOf(leader.request("cluster.remove", { node: victim.name })), "NODE_UNKNOWN");
    }
  });

  test("asked at a member that has not heard of the successor yet, it does not remove that", () => {
    for (const [method, params] of [
      ["cluster.remove", { force: true }],
      ["cluster.votes", { votes: 2 }],
    ] as const) {
      const { cluster, leader, others } = formed(["n1", "n2", "n3", "n4", "n5"]);
      const [late, victim] = others;
      cluster.until("all vote", 5_000, () => late.core.raftStatus.configuration.voters.size === 5);
      cluster.until("no change is under way", 5_000, () => late.core.raftStatus.configuration.outgoing.size === 0);
      cluster.cut.add(`${leader.name}>${late.name}`);
      victim.die();
      const incarnation = leader.core.state.nodes.get(victim.name)?.incarnation;
      assert.ok(incarnation);
      leader.command({ kind: "node.leave", memberId: victim.id, incarnation });
      leader.command({ kind: "node.join", node: victim.name, memberId: 99 as never });
      cluster.cut.clear();
      assert.equal(codeOf(late.request(method, { node: victim.name, ...params })), "NODE_EXISTS");
      assert.equal(leader.core.state.nodes.get(victim.name)?.memberId, 99);
    }
  });

  test("what the second step would be refused for is refused before the first", () => {
    const { leader, others } = formed();
    for (const other of others) accepted(leader.request("cluster.demote", { node: other.name }));
    assert.equal(codeOf(leader.request("cluster.remove", { node: leader.name })), "MEMBERSHIP_REFUSED");
    assert.ok(leader.core.state.nodes.has(leader.name));
  });
});

describe("a change that would leave no quorum", () => {
  test("is refused while the member it counts on is silent, and nothing of it is begun", () => {
    const { cluster, leader, others } = formed();
    const [live, silent] = others;
    cluster.until("all vote", 5_000, () => leader.core.raftStatus.configuration.voters.size === 3);
    cluster.until("no change is under way", 5_000, () => leader.core.raftStatus.configuration.outgoing.size === 0);
    silent.die();
    cluster.run(3_000);
    const before = leader.core.raftStatus.configIndex;
    for (const [method, params] of [
      ["cluster.demote", { node: live.name }],
      ["cluster.remove", { node: live.name, force: true }],
      ["cluster.votes", { node: silent.name, votes: 3 }],
    ] as const) {
      const answer = leader.request(method, params) as Refused;
      assert.equal(answer.error?.code, "MEMBERSHIP_REFUSED", method);
      assert.match(answer.error?.message ?? "", new RegExp(silent.name), method);
    }
    assert.equal(leader.core.raftStatus.configIndex, before);
    assert.ok(leader.core.state.nodes.has(live.name));
    accepted(leader.request("cluster.demote", { node: silent.name }));
    accepted(leader.request("cluster.demote", { node: live.name }));
    assert.deepEqual([...leader.core.raftStatus.configuration.voters.keys()], [leader.id]);
  });
});

describe("fencing of the leader by an operator", () => {
  test("the device's success reaches the next leader as soon as there is one", () => {
    const fenced = { atMs: 0 };
    const holder: { cluster: MiniCluster | null; victim: MiniNode | null } = { cluster: null, victim: null };
    const cluster = MiniCluster.formed(
      {
        schedule,
        agents: (_node, action) => {
          if (action.agentClass !== "stonith") return { outcome: exited(0), tookMs: 5 };
          holder.cluster?.at(20, () => {
            holder.victim?.die();
            fenced.atMs = holder.cluster?.nowMs ?? 0;
          });
          return { outcome: exited(0), tookMs: 40 };
        },
      },
      ["n1", "n2", "n3"],
    );
    const leader = cluster.leader();
    assert.ok(leader);
    holder.cluster = cluster;
    const asked = [...cluster.nodes.values()].find((node) => node !== leader);
    assert.ok(asked);
    const host = element("nvpair", { id: "power-h", name: "pcmk_host_list", value: "n1 n2 n3" });
    const power = element("primitive", { id: "power", class: "stonith", type: "fence_test" }, [
      element("instance_attributes", { id: "power-p" }, [host]),
    ]);
    accepted(leader.request("config.commit", { edits: [{ section: "resources", id: "power", before: null, after: power }] }));
    holder.victim = leader;
    const answer = asked.request("node.fence", { node: leader.name, action: "off" });
    accepted(answer);
    assert.match((answer as { by: string }).by, /^device power/);
    assert.ok(fenced.atMs > 0);
    // Election (pre-vote, vote, one write), the grace for a late answer, and the proposal itself.
    const waitedMs = cluster.nowMs - fenced.atMs;
    assert.ok(waitedMs < 1_300, `${waitedMs} ms after the leader's death`);
  });
});

describe("group commit (RAFT.md §2 feature 14)", () => {
  test("requests that arrive together leave as one append to each peer and one write", () => {
    const { cluster, leader } = formed();
    const events = [1, 2, 3].map((number) => {
      const params = { node: "n1", name: `a${number}`, value: String(number), lifetime: "reboot" };
      return { kind: "request", id: 9_000 + number, method: "node.attribute", params } as const;
    });
    const effects: Effect[] = [];
    leader.core.stepAll({ nowMs: cluster.nowMs, wallMs: 1_700_000_000_000, events }, (effect) => effects.push(effect));
    const appends = effects
      .flatMap((effect) => (effect.kind === "send" ? effect.envelopes : []))
      .filter(({ message }) => message.kind === "append");
    assert.deepEqual(
      appends.map(({ message }) => message.kind === "append" && message.entries.length),
      [3, 3],
    );
    assert.deepEqual(
      effects.flatMap((effect) => (effect.kind === "persist" ? [effect.write.entries.length] : [])),
      [3],
    );
  });

  test("what peers and the disk wait for leaves before anything is applied", () => {
    const { cluster, leader, others } = formed();
    const [follower] = others;
    const at = { nowMs: cluster.nowMs, wallMs: 1_700_000_000_000 };
    const step = (node: MiniNode, event: NodeEvent): readonly Effect[] => node.core.step({ ...at, event });
    const write = (number: number): readonly Effect[] => {
      const params = { node: "n1", name: "a", value: String(number), lifetime: "reboot" };
      return step(leader, { kind: "request", id: 9_000 + number, method: "node.attribute", params });
    };
    const sentTo = (node: MiniNode, effects: readonly Effect[]): NodeEvent => {
      const envelopes = effects.flatMap((effect) => (effect.kind === "send" ? effect.envelopes : []));
      const found = envelopes.find(({ to, message }) => to === node.id && message.kind === "append");
      assert.ok(found);
      return { kind: "message", from: leader.id, message: found.message };
    };
    const persistOf = (effects: readonly Effect[]): Persist => {
      const [found] = effects.flatMap((effect) => (effect.kind === "persist" ? [effect.write] : []));
      assert.ok(found);
      return found;
    };
    const first = write(1);
    const committed = persistOf(first).entries.at(-1)?.index ?? 0;
    const { sendAfter } = persistOf(step(follower, sentTo(follower, first)));
    step(leader, { kind: "stored", ticket: persistOf(first).ticket ?? assert.fail("the write has no ticket") });
    for (const { message } of sendAfter) step(leader, { kind: "message", from: follower.id, message });
    assert.equal(leader.core.state.index, committed);
    let applied = -1;
    follower.core.stepAll({ ...at, events: [sentTo(follower, write(2))] }, (effect) => {
      if (effect.kind === "persist" && effect.write.entries.length > 0) applied = follower.core.state.index;
    });
    assert.ok(applied >= 0 && applied < committed, `${applied} was applied when the write of ${committed + 1} was asked for`);
    assert.equal(follower.core.state.index, committed);
  });
});

test("what could be kept and never be shown again is refused at the door, with its place", () => {
  const { leader } = formed();
  const before = leader.core.state.epoch;
  const edits = (after: unknown) => ({ edits: [{ section: "crm_config", id: "s", before: null, after }] });
  const refused: readonly (readonly [method: string, params: unknown, message: RegExp])[] = [
    ["node.attribute", { node: "n1", name: "a\u0000b", value: "1", lifetime: "forever" }, /^parameter name must be without U\+0000/],
    ["node.attribute", { node: "n1", name: "a", value: "\ud800", lifetime: "forever" }, /^parameter value must be without U\+D800/],
    ["config.commit", edits({ name: "a<b", attributes: { id: "s" } }), /edits\[0\]\.after\.name must be the name of an element/],
    ["config.commit", edits({ name: "a", attributes: { id: "s", "x y": "1" } }), /edits\[0\]\.after\.attributes must be without "x y"/],
    ["config.commit", edits({ name: "a", attributes: { id: "s", x: "\u0001" } }), /attributes\.x must be without U\+0001/],
    ["config.commit", edits({ name: "a", attributes: { id: "s" }, text: "\uffff" }), /\.text must be without U\+FFFF/],
  ];
  for (const [method, params, message] of refused) {
    const answer = leader.request(method, params);
    assert.equal(codeOf(answer), "BAD_REQUEST", JSON.stringify(answer));
    assert.match((answer as Refused).error?.message ?? "", message);
  }
  assert.equal(leader.core.state.epoch, before);
  accepted(leader.request("config.commit", edits(set("tab\tand \u{1f600}"))));
});

test("a planned absence of a daemon has an end", () => {
  const { leader } = formed();
  for (const seconds of [0, -1, 601, 1e9]) {
    assert.match(
      (leader.request("node.detach", { node: "n1", seconds }) as Refused).error?.message ?? "",
      /^parameter seconds must be from 1 to 600$/,
    );
  }
  accepted(leader.request("node.detach", { node: "n1", seconds: 600 }));
});
