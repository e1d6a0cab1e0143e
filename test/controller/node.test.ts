import assert from "node:assert/strict";
import { test } from "node:test";
import { attributeOf, childrenOf, type Element, element, type NodeStatus, walk } from "../../src/core/cib/index.ts";
import type { PlannedTransition, Schedule } from "../../src/core/controller/index.ts";
import { emptyGraph, type GraphAction, type ResourceAction } from "../../src/core/transition/index.ts";
import { exited, MiniCluster, type MiniNode } from "./mini-cluster.ts";

/** A policy in miniature: `web` runs on the first online node; lost nodes are fenced first. */
const schedule: Schedule = (cib: Element): PlannedTransition => {
  const configured = [...walk(cib)].some((found) => found.name === "primitive" && attributeOf(found, "id") === "web");
  const states = [...walk(cib)].filter((found) => found.name === "node_state");
  const online = states.filter((state) => attributeOf(state, "crmd") !== "offline");
  const lost = states.filter((state) => attributeOf(state, "crmd") === "offline" && attributeOf(state, "expected") === "member");
  const operations = (state: Element): Element[] =>
    [...walk(state)].filter((found) => found.name === "lrm_rsc_op" && attributeOf(found, "op-status") === "0");
  const running = states.find((state) => {
    const last = operations(state).filter((operation) => attributeOf(operation, "id") === "web_last_0")[0];
    return last !== undefined && attributeOf(last, "operation") === "start" && attributeOf(last, "rc-code") === "0";
  });
  const actions: GraphAction[] = [];
  const base = (id: number) => ({ id, inputs: [] as number[], priority: 0, reason: null });
  const nodeFacts = (state: Element) => ({ node: attributeOf(state, "uname") ?? "", nodeId: attributeOf(state, "id") ?? "" });
  for (const state of lost) {
    const id = actions.length + 1;
    actions.push({
      ...base(id),
      kind: "fence",
      key: `stonith-${id}`,
      task: "reboot",
      ...nodeFacts(state),
      params: {},
      meta: {},
      downs: [],
      timeoutMs: 1000,
      priorityDelayS: null,
    });
  }
  const target = online[0];
  if (configured && target !== undefined && (running === undefined || !online.includes(running))) {
    const id = actions.length + 1;
    const start = operation(
      id,
      "start",
      0,
      nodeFacts(target),
      lost.map((_, at) => at + 1),
    );
    actions.push(start, operation(id + 1, "monitor", 1000, nodeFacts(target), [id]));
  }
  return { graph: { ...emptyGraph(), actions }, summary: [], placements: null, scores: null, recheckAtMs: null };
};

function operation(
  id: number,
  task: "start" | "monitor",
  intervalMs: number,
  where: { node: string; nodeId: string },
  inputs: number[],
): ResourceAction {
  return {
    id,
    inputs,
    priority: 0,
    reason: null,
    kind: "resource",
    key: `web_${task}_${intervalMs}`,
    task,
    resource: "web",
    instance: "web",
    historyName: "web",
    agent: { agentClass: "ocf", provider: "quorate", type: "web" },
    ...where,
    router: null,
    intervalMs,
    timeoutMs: 20_000,
    startDelayMs: 0,
    targetRc: 0,
    params: {},
    meta: {},
    digests: { all: "d" },
    canFail: false,
    migration: null,
    notification: null,
    cancels: null,
    shutdownLock: null,
    downs: [],
  };
}

const WEB = element("primitive", { id: "web", class: "ocf", provider: "quorate", type: "web" });
const agents = (_node: string, action: { operation: string }) => ({ outcome: exited(0), tookMs: action.operation === "start" ? 20 : 5 });

function withWeb(): MiniCluster {
  const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"]);
  const leader = cluster.leader();
  assert.ok(leader);
  const answer = leader.request("config.commit", { edits: [{ section: "resources", id: "web", before: null, after: WEB }] });
  assert.ok(!(answer as { error?: unknown }).error, JSON.stringify(answer));
  cluster.until("web runs", 10_000, () => leader.core.state.nodes.get("n1")?.history.get("web")?.active === true);
  return cluster;
}

test("a resource is placed, started once, monitored again and again without a word in the log", () => {
  const cluster = withWeb();
  const leader = cluster.leader();
  assert.ok(leader);
  assert.deepEqual(leader.request("wait.idle", { timeoutMs: 10_000 }) && true, true);
  assert.equal(cluster.ran.filter((run) => run.action.operation === "start").length, 1);
  const index = leader.core.state.index;
  cluster.run(5_000);
  assert.ok(cluster.ran.filter((run) => run.action.operation === "monitor").length >= 5, "monitors go on");
  assert.equal(leader.core.state.index, index, "unchanged monitor results stay off the log");
});

test("a node that falls silent is lost, waits for Tsafe, then its resource starts elsewhere", () => {
  const cluster = withWeb();
  const n1 = cluster.nodes.get("n1");
  assert.ok(n1);
  const diedAtMs = cluster.nowMs;
  n1.die();
  const survivor = cluster.nodes.get("n2");
  assert.ok(survivor);
  cluster.until("n1 lost", 10_000, () => survivor.core.state.nodes.get("n1")?.membership === "lost");
  cluster.until("web runs on n2", 30_000, () => survivor.core.state.nodes.get("n2")?.history.get("web")?.active === true);
  const starts = cluster.ran.filter((run) => run.action.operation === "start");
  assert.equal(starts.length, 2);
  assert.ok((starts[1]?.atMs ?? 0) - diedAtMs > 9_000, "the second start comes after Tsafe");
  assert.equal(survivor.core.state.fencingHistory.at(-1)?.by, "tsafe");
});

test("a guardian that stays away takes Tsafe along: its node's resource starts nowhere else without confirmed fencing", () => {
  const cluster = withWeb();
  const [n1, survivor] = [cluster.nodes.get("n1"), cluster.nodes.get("n2")];
  assert.ok(n1 && survivor);
  const told = () => survivor.core.state.nodes.get("n1");
  cluster.run(5_000);
  const { index } = survivor.core.state;
  n1.deliver({ kind: "guardian", message: { kind: "disconnected" } });
  cluster.run(1_500);
  n1.connectGuardian();
  cluster.run(5_000);
  assert.equal(survivor.core.state.index, index, "one that was only started again is no news");
  n1.deliver({ kind: "guardian", message: { kind: "disconnected" } });
  cluster.until("the guarantee is gone", 5_000, () => told()?.guarantee === "none");
  n1.connectGuardian();
  cluster.until("it is back with its guardian", 5_000, () => told()?.guarantee === "guardian");
  n1.restart(60_000);
  cluster.until("a daemon that finds no guardian says so", 8_000, () => told()?.guarantee === "none");
  assert.equal(told()?.stopBoundMs, n1.stopBoundMs);
  n1.die();
  cluster.until("n1 lost", 10_000, () => told()?.membership === "lost");
  cluster.run(60_000);
  assert.equal(cluster.ran.filter((run) => run.action.operation === "start").length, 1);
});

test("a longer stop raises the bound of its node, and the cluster knows before the guardian does", () => {
  const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"]);
  const leader = cluster.leader();
  assert.ok(leader);
  const op = element("op", { id: "web-stop", name: "stop", interval: "0s", timeout: "20s" });
  const slow = element("primitive", { ...WEB.attributes }, [element("operations", {}, [op])]);
  leader.request("config.commit", { edits: [{ section: "resources", id: "web", before: null, after: slow }] });
  cluster.until("web runs", 10_000, () => leader.core.state.nodes.get("n1")?.history.get("web")?.active === true);
  assert.equal(cluster.nodes.get("n1")?.plan.stopMs, 20_000);
  assert.equal(leader.core.state.nodes.get("n1")?.stopBoundMs, 21_500);
  assert.equal(leader.core.state.nodes.get("n2")?.stopBoundMs, 4_500, "only the node with the resource");
  for (const plan of cluster.plans) assert.ok(plan.knownMs >= plan.stopBoundMs, JSON.stringify(plan));
  const diedAtMs = cluster.nowMs;
  cluster.nodes.get("n1")?.die();
  const survivor = cluster.nodes.get("n2");
  assert.ok(survivor);
  cluster.until("web runs on n2", 60_000, () => survivor.core.state.nodes.get("n2")?.history.get("web")?.active === true);
  assert.ok(cluster.nowMs - diedAtMs > 26_000, "Tsafe = Tself + the longer S");
});

test("a leader in standby hands over to a data node; demoted members stay learners, silence outside of the membership proves nothing", () => {
  const cluster = withWeb();
  const leader = cluster.leader();
  assert.ok(leader);
  leader.command({ kind: "attribute.set", changes: [{ node: leader.name, name: "standby", value: "on" }] });
  cluster.until("another one leads", 10_000, () => {
    const now = cluster.leader();
    return now !== null && now !== leader;
  });
  const next = cluster.leader();
  assert.ok(next);
  const third = [...cluster.nodes.values()].find((node) => node !== leader && node !== next);
  assert.ok(third);
  next.request("cluster.demote", { node: third.name });
  assert.ok(next.core.raftStatus.configuration.learners.has(third.id));
  cluster.run(5_000);
  assert.ok(next.core.raftStatus.configuration.learners.has(third.id), "nobody promotes it against the operator's wish");
  next.request("cluster.promote", { node: third.name });
  assert.equal(next.core.raftStatus.configuration.voters.get(third.id), 1);
  const refused = next.request("cluster.address", { node: third.name, addresses: ["no port"] }) as { error: { code: string } };
  assert.equal(refused.error.code, "BAD_REQUEST");
  next.request("cluster.address", { node: third.name, addresses: ["10.0.0.3:7100"] });
  assert.deepEqual(next.core.raftStatus.configuration.members.get(third.id)?.addresses, ["10.0.0.3:7100"]);
});

test("a node that came back early from a planned absence is given the whole promised time", () => {
  const cluster = withWeb();
  const n1 = cluster.nodes.get("n1");
  const survivor = cluster.nodes.get("n2");
  assert.ok(n1 && survivor);
  // 60 s are promised; the same incarnation is back at once, and its guardian keeps the deadline that it was given.
  const promisedFromMs = cluster.nowMs;
  survivor.command({ kind: "node.detach", memberId: n1.id, incarnation: n1.incarnation, untilMs: survivor.core.state.clockMs + 60_000 });
  const { guarantee, trips, version, stopBoundMs } = survivor.core.state.nodes.get("n1") as NodeStatus;
  const greeting = 2_000_000;
  const hello = { kind: "node.hello", memberId: n1.id, incarnation: n1.incarnation, guarantee, greeting, stopBoundMs } as const;
  survivor.command({ ...hello, trips, version, featureLevelMax: 1 });
  assert.equal(survivor.core.state.nodes.get("n1")?.membership, "online");
  n1.die();
  cluster.until("n1 lost", 10_000, () => survivor.core.state.nodes.get("n1")?.membership === "lost");
  cluster.until("web runs on n2", 120_000, () => survivor.core.state.nodes.get("n2")?.history.get("web")?.active === true);
  assert.ok(cluster.nowMs - promisedFromMs > 69_000, `after ${cluster.nowMs - promisedFromMs} ms`);
});

test("a deadline without end is told anew under each term: a guardian that has seen a later one takes no other", () => {
  const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"]);
  const old = cluster.leader();
  const heir = [...cluster.nodes.values()].find((node) => node !== old);
  assert.ok(old && heir);
  for (const node of cluster.nodes.values()) {
    cluster.until(
      `${node.name} has no deadline`,
      10_000,
      () => node.deadlineMs === Number.POSITIVE_INFINITY && node.deadlineTerms.length > 0,
    );
  }
  old.request("cluster.transfer", { node: heir.name });
  cluster.until("it leads", 10_000, () => cluster.leader() === heir);
  for (const node of cluster.nodes.values()) {
    cluster.until(`${node.name} tells of the new term`, 10_000, () => node.deadlineTerms.at(-1) === heir.core.raftStatus.term);
  }
});

test("a witness gives the guardian of its host no deadline, also while it catches up after a restart", () => {
  const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"], ["n3"]);
  const n3 = cluster.nodes.get("n3");
  const leader = cluster.leader();
  assert.ok(n3 && leader);
  n3.die();
  leader.command({ kind: "token.put", hash: "missed", expiresMs: 1e15 });
  n3.deadlineTerms.length = 0;
  n3.restart();
  // The entry that it lacks is lost on the way: heartbeats prove contact before it has caught up.
  cluster.cut.add(`${leader.name}>n3 append`);
  cluster.until("contact is proven", 20_000, () => n3.core.raftStatus.leaseBaseMs !== null);
  const provenMs = cluster.nowMs;
  cluster.until("it has looked at its duties", 1_000, () => cluster.nowMs > provenMs + 300);
  assert.ok(n3.core.raftStatus.leaderCommit > n3.core.state.index);
  cluster.cut.clear();
  cluster.until("n3 is greeted again", 20_000, () => leader.core.state.nodes.get("n3")?.incarnation?.endsWith("-2") === true);
  // It would never renew one, and the guardian would walk a plan that it does not have.
  assert.deepEqual(n3.deadlineTerms, []);
});

test("a leader that is elected again does not count the silence of who led before its own office", () => {
  const cluster = MiniCluster.formed({ schedule, agents }, ["n1", "n2", "n3"]);
  const [n1, n2] = [cluster.nodes.get("n1"), cluster.nodes.get("n2")];
  assert.ok(n1 && n2 && cluster.leader() === n1);
  n1.request("cluster.transfer", { node: "n2" });
  cluster.until("n2 leads", 10_000, () => cluster.leader() === n2);
  const ways = ["n1", "n2", "n3"].flatMap((from) => ["n1", "n2", "n3"].map((to) => `${from}>${to}`));
  for (const way of ways) cluster.cut.add(way);
  const cutMs = cluster.nowMs;
  cluster.until("longer than F without a leader", 10_000, () => cluster.nowMs > cutMs + 1_500);
  assert.notEqual(n2.core.raftStatus.role, "leader");
  cluster.cut.clear();
  // Only n2 can be elected, by n3; of n1, a follower, it has heard nothing since it stepped down.
  for (const way of ways) if (!way.startsWith("n2")) cluster.cut.add(`${way} preVote`);
  cluster.cut.add("n1>n2");
  cluster.until("n2 leads again", 10_000, () => cluster.leader() === n2);
  cluster.cut.delete("n1>n2");
  const electedMs = cluster.nowMs;
  cluster.until("a second of office", 10_000, () => cluster.nowMs > electedMs + 1_000);
  assert.deepEqual(
    [...cluster.nodes.values()].flatMap((node) => node.logs.filter((line) => line.includes("is lost"))),
    [],
  );
});

/** Promises n1 that nobody recovers its resources for 60 s, and ends its daemon; the guardian keeps them. */
function detached(cluster: MiniCluster): { readonly n1: MiniNode; readonly survivor: MiniNode; readonly promisedMs: number } {
  const n1 = cluster.nodes.get("n1");
  const survivor = cluster.nodes.get("n2");
  assert.ok(n1 && survivor);
  const promisedMs = cluster.nowMs;
  survivor.command({ kind: "node.detach", memberId: n1.id, incarnation: n1.incarnation, untilMs: survivor.core.state.clockMs + 60_000 });
  cluster.until("the guardian has the promise", 5_000, () => n1.deadlineMs > promisedMs + 50_000);
  n1.die();
  return { n1, survivor, promisedMs };
}

test("a wall clock that jumps does not end a planned absence: its guardian counts on a monotonic clock", () => {
  const cluster = withWeb();
  const { survivor, n1, promisedMs } = detached(cluster);
  for (const node of cluster.nodes.values()) node.wallOffsetMs = 3_600_000;
  cluster.run(40_000);
  assert.equal(survivor.core.state.nodes.get("n1")?.membership, "detached");
  cluster.until("web runs on n2", 120_000, () => survivor.core.state.nodes.get("n2")?.history.get("web")?.active === true);
  assert.ok(cluster.nowMs > n1.deadlineMs + n1.stopBoundMs, `after ${cluster.nowMs - promisedMs} ms, D is ${n1.deadlineMs - promisedMs}`);
});

test("a new leader knows of a planned absence that was promised before its election", () => {
  const cluster = withWeb();
  const { n1 } = detached(cluster);
  cluster.run(20_000);
  const old = cluster.leader();
  const heir = [...cluster.nodes.values()].find((node) => node !== old && node !== n1);
  assert.ok(old && heir);
  for (const node of cluster.nodes.values()) node.wallOffsetMs = 3_600_000;
  old.request("cluster.transfer", { node: heir.name });
  cluster.until("it leads", 10_000, () => cluster.leader() === heir);
  cluster.until("web runs on n2", 120_000, () => heir.core.state.nodes.get("n2")?.history.get("web")?.active === true);
  assert.ok(cluster.nowMs > n1.deadlineMs + n1.stopBoundMs);
});

test("a daemon that starts during its planned absence does not have it counted anew", () => {
  const cluster = withWeb();
  const { n1, promisedMs } = detached(cluster);
  const heldMs = n1.deadlineMs;
  cluster.run(40_000);
  n1.restart(1_000);
  cluster.until("n1 is online", 10_000, () => cluster.leader()?.core.state.nodes.get("n1")?.membership === "online");
  assert.equal(n1.deadlineMs, heldMs, `D is ${n1.deadlineMs - promisedMs} ms after the promise of 60,000`);
});

test("a node whose settings give it a longer Tself is waited for as long, from when the cluster knows of it", () => {
  const cluster = withWeb();
  const n1 = cluster.nodes.get("n1");
  const survivor = cluster.nodes.get("n2");
  assert.ok(n1 && survivor);
  n1.die();
  n1.tselfMs = 20_000;
  n1.restart();
  cluster.until("the longer time is told", 10_000, () => survivor.core.state.nodes.get("n1")?.selfFenceMs === 20_000);
  cluster.run(1_000);
  assert.ok(n1.deadlineMs > cluster.nowMs + 15_000, `D is ${n1.deadlineMs - cluster.nowMs} ms away`);
  n1.die();
  cluster.until("web runs on n2", 60_000, () => survivor.core.state.nodes.get("n2")?.history.get("web")?.active === true);
  assert.ok(cluster.nowMs > n1.deadlineMs + n1.stopBoundMs, `${n1.deadlineMs + n1.stopBoundMs - cluster.nowMs} ms too early`);
});

test("a monitor that fails is recorded once and voids the plan", () => {
  let healthy = true;
  const cluster = MiniCluster.formed(
    { schedule, agents: (_node, action) => ({ outcome: exited(action.operation === "monitor" && !healthy ? 7 : 0), tookMs: 5 }) },
    ["n1", "n2", "n3"],
  );
  const leader = cluster.leader();
  assert.ok(leader);
  leader.request("config.commit", { edits: [{ section: "resources", id: "web", before: null, after: WEB }] });
  cluster.until("a monitor is recorded", 10_000, () => (leader.core.state.nodes.get("n1")?.history.get("web")?.recurring.size ?? 0) > 0);
  healthy = false;
  cluster.until(
    "the failure is counted",
    10_000,
    () => leader.core.state.nodes.get("n1")?.attributes.get("fail-count-web#monitor_1000") === "1",
  );
  cluster.run(5_000);
  assert.equal(leader.core.state.nodes.get("n1")?.attributes.get("fail-count-web#monitor_1000"), "1");
});

test("an action that the guardian ended is no failure: it is carried out anew", () => {
  const cluster = MiniCluster.formed({ schedule, agents: () => ({ outcome: exited(0), tookMs: 500 }) }, ["n1", "n2", "n3"]);
  const n1 = cluster.nodes.get("n1");
  assert.ok(n1);
  n1.request("config.commit", { edits: [{ section: "resources", id: "web", before: null, after: WEB }] });
  const intent = () => [...n1.core.state.intents.values()].find(({ task }) => task === "start");
  cluster.until("web is being started", 10_000, () => n1.running.size > 0 && intent() !== undefined);
  const begun = intent();
  assert.ok(begun);
  const { key, action } = begun;
  const ended = { origin: null, action, outcome: { kind: "cancelled" }, startedAtMs: 0, finishedAtMs: 0 } as const;
  n1.deliver({ kind: "guardian", message: { kind: "result", key, ...ended } });
  cluster.run(200);
  assert.equal(intent()?.key, key);
  assert.equal(n1.core.state.nodes.get("n1")?.attributes.get("fail-count-web#start_0"), undefined);
  cluster.until("web runs", 10_000, () => n1.core.state.nodes.get("n1")?.history.get("web")?.active === true);
});

test("a conflicting edit is refused with the object's name", () => {
  const cluster = withWeb();
  const leader = cluster.leader();
  assert.ok(leader);
  const other = { ...WEB, attributes: { ...WEB.attributes, type: "dummy" } };
  const answer = leader.request("config.commit", { edits: [{ section: "resources", id: "web", before: null, after: other }] }) as {
    error: { code: string };
  };
  assert.equal(answer.error.code, "CIB_CONFLICT");
});

test("a policy that throws is contained: nothing starts, the status says so, and the commit is refused", () => {
  const cluster = MiniCluster.formed(
    {
      schedule: (cib, nowMs, hash) => {
        if (childrenOf(cib, "configuration").some((found) => [...walk(found)].some((child) => attributeOf(child, "id") === "bad")))
          throw new Error("boom");
        return schedule(cib, nowMs, hash);
      },
      agents,
    },
    ["n1", "n2", "n3"],
  );
  const leader = cluster.leader();
  assert.ok(leader);
  const edits = [{ section: "resources", id: "bad", before: null, after: element("primitive", { id: "bad", class: "ocf", type: "x" }) }];
  const refused = leader.request("config.commit", { edits }) as { error: { code: string } };
  assert.equal(refused.error.code, "REHEARSAL_FAILED");
  leader.request("config.commit", { edits, force: true });
  cluster.until("the failure is known", 5_000, () => leader.core.state.policyFailure !== null);
  const status = leader.request("status", {}) as { policyFailure: { code: string } };
  assert.equal(status.policyFailure.code, "POLICY_DEFECT");
});

test("a daemon that is killed a second time has its grace again, also at a leader that followed the first time", () => {
  const cluster = withWeb();
  const [n1, n2, n3] = ["n1", "n2", "n3"].map((name) => cluster.nodes.get(name)) as [MiniNode, MiniNode, MiniNode];
  const others = (of: MiniNode): MiniNode[] => [n1, n2, n3].filter((node) => node !== of);
  const kill = (victim: MiniNode): void => {
    victim.die();
    for (const other of others(victim)) other.deliver({ kind: "link", peer: victim.id, change: "gone" });
  };
  kill(n2);
  cluster.run(500);
  n2.restart();
  for (const other of others(n2)) other.deliver({ kind: "link", peer: n2.id, change: "up" });
  const greetedAgain = (): boolean => [n1, n3].every((node) => (node.core.state.nodes.get("n2")?.greeting ?? 0) > 2_000_000);
  cluster.until("n2 has greeted again", 10_000, greetedAgain);
  // Longer than the grace: what n3 remembers of the first end is old by now.
  cluster.run(6_000);
  cluster.leader()?.request("cluster.transfer", { node: "n2" });
  cluster.until("n2 leads", 10_000, () => cluster.leader() === n2);
  const killedMs = cluster.nowMs;
  kill(n2);
  cluster.until("another leads", 10_000, () => cluster.leader() !== null);
  cluster.until("n2 is lost", 20_000, () => cluster.leader()?.core.state.nodes.get("n2")?.membership === "lost");
  assert.ok(cluster.nowMs - killedMs >= 5_000, `lost after ${cluster.nowMs - killedMs} ms`);
});
