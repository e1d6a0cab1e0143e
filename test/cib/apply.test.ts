import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { incarnation, logIndex, memberId } from "../../src/core/base/index.ts";
import {
  apply,
  attributeOf,
  type CibState,
  type Command,
  type CommandResult,
  canonicalText,
  decodeSnapshot,
  element,
  emptyState,
  encodeSnapshot,
  type IntentDraft,
  isRetiring,
  kernelStateOn,
  leavesKernelState,
  renderCib,
  snapshotPieces,
  tsafeCovers,
  walk,
} from "../../src/core/cib/index.ts";
import { nextFencingStep } from "../../src/core/fencing/index.ts";

/** Applies commands one after the other, one second apart; remembers the last answer. */
class Log {
  state: CibState = emptyState();
  last: CommandResult | null = null;

  run(...commands: readonly Command[]): this {
    for (const command of commands) {
      const index = logIndex(this.state.index + 1);
      const applied = apply(this.state, index, { atMs: 1_700_000_000_000 + index * 1000, origin: null, command });
      this.state = applied.state;
      this.last = applied.result;
    }
    return this;
  }

  get code(): string | null {
    return this.last?.ok === false ? this.last.code : null;
  }
}

const inc = incarnation("i1");
const hello = (id: number, of = inc, trips = 0): Command => ({
  kind: "node.hello",
  memberId: memberId(id),
  incarnation: of,
  guarantee: "guardian",
  stopBoundMs: 4500,
  trips,
  version: "1",
  featureLevelMax: 1,
});
const created: readonly Command[] = [
  { kind: "cluster.create", clusterId: "00112233aabbccdd", name: "c", node: "n1", memberId: memberId(1) },
  { kind: "node.join", node: "n2", memberId: memberId(2) },
  hello(1),
  hello(2),
];
const start = (log: Log, node = "n1", resource = "web"): IntentDraft => ({
  resource,
  node,
  incarnation: log.state.nodes.get(node)?.incarnation ?? inc,
  task: "start",
  intervalMs: 0,
  expectedRc: 0,
  action: {
    resource,
    agentClass: "ocf",
    provider: "quorate",
    type: "dummy",
    operation: "start",
    intervalMs: 0,
    timeoutMs: 20_000,
    params: {},
    meta: {},
    node,
    target: null,
  },
  digest: "d",
  startFailureFatal: true,
  stop: { timeoutMs: 20_000, stage: 0, exclusive: true },
  actionId: 1,
});
const commitIntents = (log: Log, ...intents: readonly IntentDraft[]): Command => ({
  kind: "intents.commit",
  basedOn: log.state.index,
  transition: 1,
  intents,
  cancels: [],
});
const result = (log: Log, rc: number, status: 0 | 2 = 0, covered = true, member = 1): Extract<Command, { kind: "results.record" }> => {
  const key = [...log.state.intents.keys()][0] ?? "none";
  return {
    kind: "results.record",
    memberId: memberId(member),
    incarnation: inc,
    results: [{ key, rc, status, exitReason: null, execTimeMs: 5, covered }],
  };
};
const started = (): Log => {
  const log = new Log().run(...created);
  log.run(commitIntents(log, start(log)));
  return log.run(result(log, 0));
};
const edit = (id: string, before: string | null): Command => ({
  kind: "config.edit",
  edits: [{ section: "resources", id, before, after: element("primitive", { id, class: "ocf", type: "x" }) }],
});

describe("configuration", () => {
  test("all edits of a command or none; compare-and-set per object", () => {
    const log = new Log().run(...created, edit("a", null));
    const epoch = log.state.epoch;
    const changed = element("primitive", { id: "a", class: "ocf", type: "y" });
    log.run({
      kind: "config.edit",
      edits: [
        { section: "resources", id: "b", before: null, after: element("primitive", { id: "b" }) },
        { section: "resources", id: "a", before: "something else", after: changed },
      ],
    });
    assert.equal(log.code, "CIB_CONFLICT");
    assert.equal(log.state.epoch, epoch);
    assert.equal(log.state.sections.resources.objects.has("b"), false);
    const before = canonicalText(element("primitive", { id: "a", class: "ocf", type: "x" }));
    log.run({ kind: "config.edit", edits: [{ section: "resources", id: "a", before, after: changed }] });
    assert.equal(log.code, null);
    assert.equal(log.state.epoch, epoch + 1);
  });

  test("an edit that names an epoch applies to that epoch alone", () => {
    const log = new Log().run(...created);
    const epoch = log.state.epoch;
    log.run({ ...edit("a", null), ifEpoch: epoch } as Command);
    assert.equal(log.code, null);
    log.run({ ...edit("b", null), ifEpoch: epoch } as Command);
    assert.equal(log.code, "PLAN_STALE");
    assert.equal(log.state.sections.resources.objects.has("b"), false);
    log.run({ ...edit("b", null), ifEpoch: epoch + 1 } as Command);
    assert.equal(log.code, null);
  });

  test("an object keeps its place when it is replaced", () => {
    const log = new Log().run(...created, edit("z", null), edit("a", null));
    const before = canonicalText(element("primitive", { id: "z", class: "ocf", type: "x" }));
    const after = element("primitive", { id: "z", class: "ocf", type: "y" });
    log.run({ kind: "config.edit", edits: [{ section: "resources", id: "z", before, after }] });
    const cib = renderCib(log.state, { quorate: true, leader: "n1", forPolicy: null });
    const ids = [...walk(cib)].filter((found) => found.name === "primitive").map((found) => attributeOf(found, "id"));
    assert.deepEqual(ids, ["z", "a"]);
  });
});

describe("intents and results", () => {
  test("a plan made before a change that matters is refused", () => {
    const log = new Log().run(...created);
    const stale = commitIntents(log, start(log));
    log.run(edit("a", null), stale);
    assert.equal(log.code, "PLAN_STALE");
    assert.equal(log.state.intents.size, 0);
  });

  test("an attribute that only weighs places makes a plan old, not void; one that commands voids it", () => {
    const log = new Log().run(...created);
    const set = (name: string): Command => ({ kind: "attribute.set", changes: [{ node: "n1", name, value: "1" }] });
    const older = commitIntents(log, start(log));
    log.run(set("pingd"));
    assert.equal(log.state.changedAt, log.state.index, "it is to be made anew");
    log.run(older);
    assert.equal(log.code, null);
    assert.equal(log.state.intents.size, 1);
    for (const name of ["standby", "maintenance", "shutdown", "terminate"]) {
      const other = new Log().run(...created);
      const late = commitIntents(other, start(other));
      other.run(set(name), late);
      assert.equal(other.code, "PLAN_STALE", name);
    }
  });

  test("a plan that does not know of what another one has begun since is stale, also when that has ended well", () => {
    const log = new Log().run(...created);
    const blind: Command = { ...commitIntents(log, start(log, "n2")), transition: 2 } as Command;
    const first = commitIntents(log, start(log, "n1"));
    log.run(first, blind);
    assert.equal(log.code, "PLAN_STALE", "web may be starting on n1");
    log.run(result(log, 0), blind);
    assert.equal(log.code, "PLAN_STALE", "web runs on n1");
    log.run({ ...first, intents: [start(log, "n1", "db")] } as Command);
    assert.equal(log.code, null, "the plan that began them goes on");
    log.run({ ...commitIntents(log, start(log, "n2", "db2")), transition: 2 } as Command);
    assert.equal(log.code, null, "and one that was made after it knows of it");
  });

  test("an equal action joins the one in flight, another one of the resource is refused", () => {
    const log = new Log().run(...created);
    log.run(commitIntents(log, start(log)));
    log.run(commitIntents(log, start(log)));
    assert.equal(log.code, null);
    assert.equal(log.state.intents.size, 1);
    log.run(commitIntents(log, { ...start(log), task: "stop" }));
    assert.equal(log.code, "INTENT_CONFLICT");
  });

  test("an intent of an old incarnation is refused", () => {
    const log = new Log().run(...created);
    const draft = start(log);
    log.run(hello(1, incarnation("i2")));
    log.run(commitIntents(log, draft));
    assert.equal(log.code, "INCARNATION_OLD");
  });

  test("an expected result does not void plans, an unexpected one does and counts", () => {
    const log = new Log().run(...created);
    log.run(commitIntents(log, start(log)));
    const changedAt = log.state.changedAt;
    log.run(result(log, 0));
    assert.equal(log.state.changedAt, changedAt);
    const failing = new Log().run(...created);
    failing.run(commitIntents(failing, start(failing)));
    failing.run(result(failing, 1));
    assert.equal(failing.state.changedAt, failing.state.index);
    assert.equal(failing.state.nodes.get("n1")?.attributes.get("fail-count-web#start_0"), "INFINITY");
    assert.ok(failing.state.nodes.get("n1")?.history.get("web")?.operations.has("web_last_failure_0"));
  });

  test("a result counts once, however often it comes", () => {
    const log = new Log().run(...created);
    log.run(commitIntents(log, start(log)));
    const again = result(log, 1);
    log.run(again, again, again);
    assert.equal(log.state.nodes.get("n1")?.lastCallId, 1);
  });

  test("a failing monitor counts once, although its report outlived the leader that was asked first", () => {
    const log = started();
    const monitor = { ...start(log), task: "monitor", intervalMs: 1000 };
    log.run(commitIntents(log, { ...monitor, action: { ...monitor.action, operation: "monitor", intervalMs: 1000 } }));
    const failed = result(log, 7);
    log.run(result(log, 0), failed);
    const changedAt = log.state.changedAt;
    log.run(failed);
    assert.equal(log.state.nodes.get("n1")?.attributes.get("fail-count-web#monitor_1000"), "1");
    assert.equal(log.state.changedAt, changedAt);
  });

  test("a monitor's report that comes after those of its later runs is not news", () => {
    const log = started();
    const monitor = { ...start(log), task: "monitor", intervalMs: 1000 };
    log.run(commitIntents(log, { ...monitor, action: { ...monitor.action, operation: "monitor", intervalMs: 1000 } }));
    const begun = result(log, 0);
    const run = (rc: number, number: number): Command => ({ ...begun, results: begun.results.map((one) => ({ ...one, rc, run: number })) });
    log.run(begun, run(7, 5), run(0, 6));
    const changedAt = log.state.changedAt;
    log.run(run(7, 5));
    assert.equal(log.state.changedAt, changedAt);
    assert.equal(log.state.nodes.get("n1")?.attributes.get("fail-count-web#monitor_1000"), "1");
    log.run(run(7, 7));
    assert.equal(log.state.nodes.get("n1")?.attributes.get("fail-count-web#monitor_1000"), "2");
  });

  test("a failed start may have started: it counts as active until something proves the contrary", () => {
    const log = new Log().run(...created);
    log.run(commitIntents(log, start(log)));
    log.run(result(log, 1, 2));
    assert.equal(log.state.nodes.get("n1")?.history.get("web")?.active, true);
  });
});

describe("nodes", () => {
  test("the same incarnation coming back before it was fenced keeps what it runs", () => {
    const log = started();
    log.run({ kind: "node.lost", memberId: memberId(1), incarnation: inc, reason: "silent" });
    assert.equal(log.state.nodes.get("n1")?.membership, "lost");
    log.run(hello(1));
    assert.equal(log.state.nodes.get("n1")?.membership, "online");
    assert.equal(log.state.nodes.get("n1")?.history.get("web")?.active, true);
  });

  test("a new incarnation ends history, intents and transient attributes of the old one", () => {
    const log = started();
    log.run({ kind: "attribute.set", changes: [{ node: "n1", name: "x", value: "1" }] });
    log.run(hello(1, incarnation("i2")));
    const node = log.state.nodes.get("n1");
    assert.equal(node?.history.size, 0);
    assert.equal(node?.attributes.size, 0);
  });

  test("a fenced incarnation comes back only as another one, or with the proof that its stop plan was walked", () => {
    const log = started();
    log.run({ kind: "node.fenced", target: "n1", incarnation: inc, by: "device power", action: "reboot" });
    assert.equal(log.state.nodes.get("n1")?.membership, "fenced");
    log.run(hello(1));
    assert.equal(log.code, "INCARNATION_FENCED");
    log.run(hello(1, inc, 1));
    assert.equal(log.state.nodes.get("n1")?.membership, "online");
  });

  test("a lost report about an old incarnation is refused", () => {
    const log = started().run(hello(1, incarnation("i2")));
    log.run({ kind: "node.lost", memberId: memberId(1), incarnation: inc, reason: "silent" });
    assert.equal(log.code, "INCARNATION_OLD");
  });

  test("Tsafe covers a node only if everything that may run there is in its stop plan", () => {
    const log = started();
    const covered = log.state.nodes.get("n1");
    assert.ok(covered && tsafeCovers(log.state, covered));
    const bare = new Log().run(...created);
    bare.run(commitIntents(bare, start(bare)));
    bare.run(result(bare, 0, 0, false));
    const node = bare.state.nodes.get("n1");
    assert.ok(node && !tsafeCovers(bare.state, node));
    const freeze = element("cluster_property_set", { id: "p" }, [
      element("nvpair", { id: "q", name: "no-quorum-policy", value: "freeze" }),
    ]);
    log.run({ kind: "config.edit", edits: [{ section: "crm_config", id: "p", before: null, after: freeze }] });
    const frozen = log.state.nodes.get("n1");
    assert.ok(frozen && !tsafeCovers(log.state, frozen));
  });

  test("a result that says covered, of before the node knew of its maintenance, does not outlive the maintenance", () => {
    const log = new Log().run(...created);
    const maintenance = (value: string | null): Command => ({
      kind: "attribute.set",
      changes: [{ node: "n1", name: "maintenance", value }],
    });
    const covers = (): boolean => {
      const node = log.state.nodes.get("n1");
      return node !== undefined && tsafeCovers(log.state, node);
    };
    log.run(commitIntents(log, start(log)), maintenance("true"));
    log.run(result(log, 0), maintenance(null));
    assert.equal(covers(), false, "the guardian's plan may still be the one of the maintenance, without web");
    log.run({ kind: "node.covers", memberId: memberId(1), incarnation: inc, basedOn: log.state.index, resources: ["web"] });
    assert.equal(log.code, null);
    assert.ok(covers());
    log.run(maintenance("true"), maintenance(null));
    assert.equal(covers(), false, "what began to be left alone is covered only when its node says so anew");
  });
});

describe("sessions", () => {
  test("a command of a session happens once; its repetition gets the same answer; a stranger is refused", () => {
    const log = new Log().run(...created, { kind: "session.open" });
    const client = log.state.index;
    const proposal = { atMs: 1, origin: { client, sequence: 1 }, command: edit("a", null) };
    const first = apply(log.state, logIndex(log.state.index + 1), proposal);
    const second = apply(first.state, logIndex(first.state.index + 1), proposal);
    assert.deepEqual(second.result, first.result);
    assert.equal(second.state.epoch, first.state.epoch);
    const stranger = apply(first.state, logIndex(first.state.index + 1), { ...proposal, origin: { client: 999, sequence: 1 } });
    assert.equal(stranger.result.ok === false && stranger.result.code, "SESSION_EXPIRED");
  });
});

describe("properties", () => {
  const commands: readonly ((log: Log) => Command)[] = [
    () => edit("a", null),
    () => hello(1),
    () => hello(2, incarnation("i2")),
    (log) => commitIntents(log, start(log, "n2", "db")),
    (log) => commitIntents(log, start(log)),
    (log) => result(log, 0),
    (log) => result(log, 1),
    () => ({ kind: "node.lost", memberId: memberId(2), incarnation: inc, reason: "silent" }),
    () => ({ kind: "node.fenced", target: "n2", incarnation: inc, by: "x", action: "off" }),
    (log) => ({ kind: "fencing.request", target: "n2", action: "off", reason: "r", source: "policy", basedOn: log.state.index }),
    () => ({ kind: "history.delete", selection: { resource: null, node: null, operation: null, intervalMs: null, scope: "all" } }),
    () => ({ kind: "attribute.set", changes: [{ node: "n1", name: "k", value: "v" }] }),
    () => ({ kind: "session.open" }),
    () => ({ kind: "token.put", hash: "h", expiresMs: 9e15 }),
  ];

  test("any run is deterministic, never throws, and a snapshot holds all of it", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(commands.length - 1), { maxLength: 40 }), (picks) => {
        const one = new Log().run(...created);
        const other = new Log().run(...created);
        for (const pick of picks) {
          const command = commands[pick]?.(one);
          if (command === undefined) continue;
          one.run(command);
          other.run(command);
        }
        const text = JSON.stringify(encodeSnapshot(one.state));
        assert.equal(JSON.stringify(encodeSnapshot(other.state)), text);
        assert.equal([...snapshotPieces(one.state)].join(""), text);
        const back = decodeSnapshot(JSON.parse(text));
        assert.equal(JSON.stringify(encodeSnapshot(back)), text);
        const facts = { quorate: true, leader: "n1", forPolicy: { nowMs: one.state.clockMs } };
        assert.equal(canonicalText(renderCib(back, facts)), canonicalText(renderCib(one.state, facts)));
      }),
      { numRuns: 200 },
    );
  });
});

describe("bounds of a silent node (RAFT.md §7)", () => {
  test("the time promised to a planned absence stays when the daemon comes back early", () => {
    const log = started();
    const untilMs = log.state.clockMs + 60_000;
    log.run({ kind: "node.detach", memberId: memberId(1), incarnation: inc, untilMs }, hello(1));
    assert.equal(log.state.nodes.get("n1")?.membership, "online");
    assert.equal(log.state.nodes.get("n1")?.detachedUntilMs, untilMs);
    // A second, shorter absence does not shorten the first promise; another incarnation has none.
    log.run({ kind: "node.detach", memberId: memberId(1), incarnation: inc, untilMs: untilMs - 30_000 });
    assert.equal(log.state.nodes.get("n1")?.detachedUntilMs, untilMs);
    log.run(hello(1, incarnation("i2")));
    assert.equal(log.state.nodes.get("n1")?.detachedUntilMs, null);
  });

  test("a late greeting does not undo a newer one", () => {
    const log = new Log().run(...created);
    const greet = (greeting: number, stopBoundMs: number): Command => ({ ...(hello(1) as object), greeting, stopBoundMs }) as Command;
    log.run(greet(2, 21_500), greet(1, 4_500));
    assert.equal(log.code, "INCARNATION_OLD");
    assert.equal(log.state.nodes.get("n1")?.stopBoundMs, 21_500);
    log.run(greet(3, 4_500));
    assert.equal(log.state.nodes.get("n1")?.stopBoundMs, 4_500);
  });

  const agents = [
    { name: "ocf:quorate:web", agentClass: "ocf", provider: "quorate", type: "web", leaves: false },
    { name: "ocf:heartbeat:Dummy", agentClass: "ocf", provider: "heartbeat", type: "Dummy", leaves: false },
    { name: "ocf:heartbeat:IPaddr2", agentClass: "ocf", provider: "heartbeat", type: "IPaddr2", leaves: true },
    { name: "ocf:site:unknown", agentClass: "ocf", provider: "site", type: "unknown", leaves: true },
    { name: "systemd:nginx", agentClass: "systemd", provider: null, type: "nginx", leaves: true },
    { name: "a fencing device", agentClass: "stonith", provider: null, type: "fence_x", leaves: false },
  ] as const;
  for (const agent of agents) {
    test(`kernel state: ${agent.name}`, () => assert.equal(leavesKernelState(agent), agent.leaves));
  }

  test("where the host cannot be reset, Tsafe covers nothing that leaves kernel state", () => {
    const kill: Command = { ...(hello(1) as object), kernelGuarantee: "none" } as Command;
    const log = new Log().run(...created, kill);
    const address = start(log);
    const web = started().run(kill);
    assert.equal(tsafeCovers(web.state, web.state.nodes.get("n1") as never), true);
    log.run(commitIntents(log, { ...address, action: { ...address.action, provider: "heartbeat", type: "IPaddr2" } }));
    assert.equal(tsafeCovers(log.state, log.state.nodes.get("n1") as never), false);
    log.run(result(log, 0));
    assert.equal(tsafeCovers(log.state, log.state.nodes.get("n1") as never), false);
    assert.deepEqual(kernelStateOn(log.state, log.state.nodes.get("n1") as never), ["web"]);
    log.run(hello(1));
    assert.equal(tsafeCovers(log.state, log.state.nodes.get("n1") as never), true);
  });
});

describe("witnesses and votes", () => {
  const witness: Command = { kind: "node.join", node: "w", memberId: memberId(9), witness: true };
  const names = (log: Log): readonly (string | undefined)[] =>
    [...walk(renderCib(log.state, { quorate: true, leader: "w", forPolicy: { nowMs: log.state.clockMs } }))]
      .filter((found) => found.name === "node" || found.name === "node_state")
      .map((found) => attributeOf(found, "uname"));

  test("a witness is a member of the state and no node of the tree that is scheduled", () => {
    const log = new Log().run(...created, witness, hello(9));
    assert.equal(log.state.nodes.get("w")?.membership, "online");
    assert.deepEqual(names(log), ["n1", "n2", "n1", "n2"]);
    // The next node gets an id of its own although the witness's is not in the configuration.
    log.run({ kind: "node.join", node: "n3", memberId: memberId(3) });
    const ids = [...log.state.nodes.values()].map((node) => node.id);
    assert.equal(new Set(ids).size, ids.length);
  });

  test("a node of the configuration cannot become a witness, and a silent witness can be removed at once", () => {
    const log = new Log().run(...created);
    log.run({ kind: "node.lost", memberId: memberId(2), incarnation: inc, reason: "test" });
    log.run({ kind: "node.join", node: "n2", memberId: memberId(7), witness: true });
    assert.equal(log.code, "NODE_EXISTS");
    log.run(witness, hello(9), { kind: "node.lost", memberId: memberId(9), incarnation: inc, reason: "test" });
    log.run({ kind: "node.forget", node: "w" });
    assert.equal(log.code, null);
    log.run({ kind: "node.forget", node: "n2" });
    assert.equal(log.code, "NODE_ACTIVE", "a data node has to be proven down");
  });

  test("a witness never runs a fencing device", () => {
    const device = element("primitive", { id: "power", class: "stonith", type: "fence_x" }, [
      element("instance_attributes", { id: "p" }, [element("nvpair", { id: "p-l", name: "pcmk_host_list", value: "n1 n2" })]),
    ]);
    const log = new Log().run(...created, witness, hello(9));
    log.run({ kind: "config.edit", edits: [{ section: "resources", id: "power", before: null, after: device }] });
    for (const id of [1, 2]) log.run({ kind: "node.lost", memberId: memberId(id), incarnation: inc, reason: "test" });
    log.run({ kind: "fencing.request", target: "n1", action: "off", reason: "test", source: "operator", basedOn: null });
    const request = log.state.fencing.get("n1");
    assert.ok(request);
    assert.equal(nextFencingStep(log.state, request).kind, "exhausted");
  });

  test("votes that are wished for are kept, within their bounds; a forced cluster says so", () => {
    const log = new Log().run(...created, { kind: "node.votes", node: "n2", votes: 0 });
    assert.equal(log.state.nodes.get("n2")?.votesWanted, 0);
    log.run({ kind: "node.votes", node: "n2", votes: 1_001 });
    assert.equal(log.code, "LIMIT_EXCEEDED");
    log.run({ kind: "node.votes", node: "nobody", votes: 1 });
    assert.equal(log.code, "NODE_UNKNOWN");
    log.run({ kind: "cluster.forced", memberId: memberId(1) });
    assert.equal(log.state.cluster?.forcedAtMs, log.state.clockMs);
  });

  test("the last member that votes and can lead keeps its node and its vote, in whatever order the wishes come", () => {
    const voteTaken = new Log().run(...created, witness, { kind: "node.votes", node: "n2", votes: 0 });
    voteTaken.run({ kind: "node.forget", node: "n1" });
    assert.equal(voteTaken.code, "MEMBERSHIP_REFUSED");
    assert.ok(voteTaken.state.nodes.has("n1"));
    const removed = new Log().run(...created, witness, { kind: "node.forget", node: "n1" });
    assert.equal(removed.code, null);
    removed.run({ kind: "node.votes", node: "n2", votes: 0 });
    assert.equal(removed.code, "MEMBERSHIP_REFUSED");
    removed.run({ kind: "node.forget", node: "w" });
    assert.equal(removed.code, null, "a witness never led");
  });

  test("a goodbye that comes after something was begun on the node is refused: it would be forgotten while it runs", () => {
    const leave: Command = { kind: "node.leave", memberId: memberId(1), incarnation: inc };
    const log = new Log().run(...created);
    log.run(commitIntents(log, start(log)), leave);
    assert.equal(log.code, "NODE_ACTIVE");
    assert.equal(log.state.intents.size, 1);
    log.run(result(log, 7), leave);
    assert.equal(log.code, null);
  });

  test("what was meant for a member does not befall its successor of the same name", () => {
    const log = new Log().run(...created, { kind: "node.leave", memberId: memberId(2), incarnation: inc });
    log.run({ kind: "node.join", node: "n2", memberId: memberId(7) });
    assert.equal(log.code, null);
    log.run({ kind: "node.forget", node: "n2", memberId: memberId(2) });
    assert.equal(log.code, "NODE_EXISTS");
    log.run({ kind: "node.votes", node: "n2", memberId: memberId(2), votes: 0 });
    assert.equal(log.code, "NODE_EXISTS");
    log.run({ kind: "node.votes", node: "n2", memberId: memberId(7), votes: 0 });
    assert.equal(log.code, null);
    log.run({ kind: "node.forget", node: "n2", memberId: memberId(7) });
    assert.equal(log.code, null);
  });

  test("nobody takes the place of a lost node whose resources may run still: it may be another machine", () => {
    const successor: Command = { kind: "node.join", node: "n2", memberId: memberId(7) };
    const lost: Command = { kind: "node.lost", memberId: memberId(2), incarnation: inc, reason: "silent" };
    assert.equal(new Log().run(...created, lost, successor).code, null);
    for (const ends of [false, true]) {
      const log = new Log().run(...created);
      log.run(commitIntents(log, start(log, "n2")));
      assert.equal(log.code, null);
      if (ends) log.run(result(log, 0, 0, true, 2));
      log.run(lost, successor);
      assert.equal(log.code, "NODE_EXISTS");
      log.run({ kind: "node.fenced", target: "n2", incarnation: inc, by: "n1", action: "off" }, successor);
      assert.equal(log.code, null);
      assert.equal(log.state.nodes.get("n2")?.memberId, 7);
    }
  });

  test("a learner that is made the cluster by force is wanted as a voter", () => {
    const log = new Log().run(...created, { kind: "node.votes", node: "n2", votes: 0 }, { kind: "cluster.forced", memberId: memberId(2) });
    assert.equal(log.state.nodes.get("n2")?.votesWanted, 1);
    log.run({ kind: "node.forget", node: "n1" });
    assert.equal(log.code, null);
  });

  const retiring = [
    { name: "an ordinary node", changes: [], expected: false },
    { name: "transient standby", changes: [{ node: "n1", name: "standby", value: "on" }], expected: true },
    { name: "a node asked to shut down", changes: [{ node: "n1", name: "shutdown", value: "1700000000" }], expected: true },
    { name: "standby that was ended", changes: [{ node: "n1", name: "standby", value: "off" }], expected: false },
  ] as const;
  for (const row of retiring) {
    test(`hands its office over: ${row.name}`, () => {
      const log = new Log().run(...created, { kind: "attribute.set", changes: row.changes });
      const node = log.state.nodes.get("n1");
      assert.ok(node);
      assert.equal(isRetiring(log.state, node), row.expected);
    });
  }
});
