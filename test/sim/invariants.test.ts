import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { VirtualHost } from "../../src/app/sim/host.ts";
import { type AppliedCommand, allInvariants, type Invariant, Violation, type World } from "../../src/app/sim/index.ts";
import { Acknowledgements } from "../../src/app/sim/invariants/tally.ts";
import { incarnation, logIndex, memberId, PersistentMap, term } from "../../src/core/base/index.ts";
import { type Command, emptyState, type NodeStatus } from "../../src/core/cib/index.ts";
import { emptyConfiguration } from "../../src/core/raft/index.ts";

/** A promise by hand: enough of a world for one watcher, and a story that breaks what it watches over. */
type Fake = Readonly<Record<string, unknown>>;

const voters = (...ids: readonly number[]): ReturnType<typeof emptyConfiguration> => ({
  ...emptyConfiguration(),
  voters: new Map(ids.map((id) => [memberId(id), 1] as const)),
});

function host(name: string, member: number, status: Fake = {}, rest: Fake = {}): VirtualHost {
  const raftStatus = { role: "follower", term: 1, commit: 0, configIndex: 0, first: 1, configuration: voters(1, 2, 3), ...status };
  const core = { raftStatus, state: { ...emptyState(), index: 0 }, raft: { entryId: () => ({ term: raftStatus.term, index: 0 }) } };
  const services = { active: new Set<string>(), promoted: new Set<string>() };
  const clock = { nowMs: () => 100_000 };
  return { name, member, incarnation: `${name}-1`, powered: true, shell: { core }, services, clock, ...rest } as unknown as VirtualHost;
}

function world(hosts: readonly VirtualHost[], rest: Fake = {}): World {
  const violated = (id: string, text: string): never => {
    throw new Violation(id, text);
  };
  const plan = { nodeLossMs: 800, electionMs: 300 };
  return {
    hosts,
    replica: emptyState(),
    time: { nowMs: 1_000 },
    plan,
    nameOf: () => "n1",
    violated,
    stateAt: () => undefined,
    ...rest,
  } as unknown as World;
}

function watcher(id: string): Invariant {
  const found = allInvariants().find((one) => one.id === id);
  assert.ok(found, `there is no watcher ${id}`);
  return found;
}

const message = (fields: Fake): never => ({ term: 1, boot: 1, ...fields }) as never;
const write = (entries: readonly Fake[], rest: Fake = {}): never =>
  ({ hard: null, entries, snapshot: null, recovered: false, ...rest }) as never;
const applied = (index: number, command: unknown, rest: Fake = {}): AppliedCommand =>
  ({ index, command: command as Command, ok: true, origin: null, result: { ok: true, index }, before: emptyState(), ...rest }) as never;
const spawn = (fields: Fake): never =>
  ({
    key: "9.0",
    resource: "web",
    operation: "start",
    agentClass: "ocf",
    target: null,
    origin: { incarnation: "n1-1", term: 1, index: 9 },
    ...fields,
  }) as never;
const node = (name: string, member: number, rest: Fake = {}): NodeStatus =>
  ({
    name,
    memberId: member,
    membership: "online",
    incarnation: incarnation(`${name}-1`),
    attributes: PersistentMap.empty(),
    history: PersistentMap.empty(),
    ...rest,
  }) as never;
const nodes = (...rows: readonly NodeStatus[]): PersistentMap<NodeStatus> =>
  PersistentMap.from(rows.map((row) => [row.name, row] as const));
const entry = (index: number, at: number, data: string): Fake => ({ index: logIndex(index), term: term(at), kind: "data", data: { data } });

/** Each story must break its promise; up to its last step it must not. */
const stories: Readonly<Record<string, (watch: Invariant) => readonly (() => void)[]>> = {
  S1: (watch) => {
    const [a, b] = [host("n1", 1, { role: "leader" }), host("n2", 2, { role: "leader" })];
    return [() => watch.after?.(world([a, b]), new Set([a])), () => watch.after?.(world([a, b]), new Set([b]))];
  },
  S2: (watch) => {
    const leader = host("n1", 1, { role: "leader" });
    const save = (index: number) => () => watch.onSave?.(world([leader]), leader, write([entry(index, 1, "a")]));
    return [save(5), save(6), save(5)];
  },
  S3: (watch) => {
    const save = (data: string) => () => watch.onSave?.(world([]), host("n1", 1), write([entry(5, 1, data)]));
    return [save("a"), save("a"), save("b")];
  },
  S4: (watch) => {
    const [old, late] = [host("n1", 1), host("n2", 2, { role: "leader", term: 2 })];
    Object.assign(old.shell?.core ?? {}, { state: { index: 7 } });
    return [() => watch.after?.(world([old]), new Set([old])), () => watch.after?.(world([late]), new Set([late]))];
  },
  S5: (watch) => {
    const [a, b] = [host("n1", 1), host("n2", 2)];
    Object.assign(a.shell?.core ?? {}, { state: { ...emptyState(), index: logIndex(32) } });
    Object.assign(b.shell?.core ?? {}, { state: { ...emptyState(), index: logIndex(32), epoch: 1 } });
    return [() => watch.after?.(world([a]), new Set([a])), () => watch.after?.(world([b]), new Set([b]))];
  },
  S6: (watch) => {
    const save = (at: number) => () => watch.onSave?.(world([]), host("n1", 1), write([], { hard: { term: at } }));
    const stored = (at: number) => () => watch.onStored?.(world([]), host("n1", 1), write([], { hard: { term: at } }));
    const start = (at: number) => () => watch.onRestored?.(world([]), host("n1", 1), { term: at, vote: null, finding: "clean" } as never);
    // Term 7 was handed to the disk and never became durable, so a start may find term 4; what was durable may not go.
    return [save(4), stored(4), save(7), start(4), save(5), stored(5), start(4)];
  },
  S7: (watch) => {
    const vote = (to: number) => () =>
      watch.onSend?.(world([]), host("n1", 1), memberId(to), message({ kind: "voteReply", granted: true }));
    return [vote(2), vote(2), vote(3)];
  },
  S8: (watch) => {
    const start = (last: number) => () => watch.onRestored?.(world([]), host("n1", 1), { last, finding: "clean" } as never);
    const say = (fields: Fake) => () => watch.onSend?.(world([]), host("n1", 1), memberId(2), message(fields));
    const install = (index: number) => () =>
      watch.onSave?.(world([]), host("n1", 1), write([], { snapshot: { meta: { last: { term: 2, index: logIndex(index) } } } }));
    const installed = say({ kind: "snapReply", done: true, last: { term: 2, index: 20 } });
    // A snapshot that was handed to the disk binds nobody before it is acknowledged.
    const stored = () => watch.onStored?.(world([]), host("n1", 1), write([entry(8, 1, "a")]));
    const kept = () =>
      watch.onStored?.(world([]), host("n1", 1), write([], { snapshot: { meta: { last: { term: 2, index: logIndex(20) } } } }));
    return [
      stored,
      say({ kind: "appendReply", ok: true, match: 8, state: "normal" }),
      start(8),
      install(20),
      start(8),
      kept,
      installed,
      start(19),
    ];
  },
  S9: (watch) => {
    const leader = host("n1", 1, { role: "leader" });
    const grant = message({ kind: "voteReply", granted: true });
    const committing = host("n1", 1, { role: "leader", commit: 4 });
    return [
      () => watch.onSend?.(world([]), host("n2", 2), memberId(1), grant),
      () => watch.after?.(world([leader]), new Set([leader])),
      () => watch.onStored?.(world([]), leader, write([entry(4, 1, "a")])),
      () => watch.after?.(world([committing]), new Set([committing])),
    ];
  },
  S10: (watch) => {
    const at = (configIndex: number, commit: number) => () => {
      const leader = host("n1", 1, { role: "leader", configIndex, commit });
      watch.after?.(world([leader]), new Set([leader]));
    };
    return [at(3, 3), at(5, 4), at(7, 4)];
  },
  S11: (watch) => {
    const say = (recovering: boolean) => () =>
      watch.onSend?.(world([]), host("n1", 1, { recovering }), memberId(2), message({ kind: "voteReply", granted: true }));
    return [say(false), say(true)];
  },
  S12: (watch) => {
    const configuration = { index: 2, term: 1, kind: "config", configuration: voters(1, 2, 3) };
    const take = (of: ReturnType<typeof voters>) => () =>
      watch.onSnapshot?.(world([]), host("n1", 1), { last: { term: 1, index: 4 }, configuration: of } as never, new Uint8Array());
    return [() => watch.onSave?.(world([]), host("n1", 1), write([configuration])), take(voters(1, 2, 3)), take(voters(1, 2))];
  },
  C3: (watch) => {
    const origin = { client: 3, sequence: 1 };
    const run = (index: number, result: number) => () =>
      watch.onApplied?.(world([]), applied(index, { kind: "attribute.set" }, { origin, result: { ok: true, index: result } }));
    return [run(10, 10), run(11, 10), run(12, 12)];
  },
  H1: (watch) => {
    const [a, b] = [host("n1", 1), host("n2", 2)];
    a.services.active.add("web");
    return [() => watch.onService?.(world([a, b]), a, "web", true), () => watch.onService?.(world([a, b]), b, "web", true)];
  },
  C1: (watch) => {
    const one = host("n1", 1);
    const all = world([one], { replica: { ...emptyState(), index: 7 } });
    const read = (index: number) => () =>
      watch.onRead?.(all, one, { kind: "ready", context: 1, index: logIndex(index), lease: false } as never);
    const ask = () => watch.onReadAsked?.(all, one, 1);
    return [ask, read(7), read(6), ask, read(6)];
  },
  H2: (watch) => {
    const start = (index: number, where: string) => () => {
      const intent = {
        resource: "web",
        node: where,
        task: "start",
        incarnation: `${where}-1`,
        action: { agentClass: "ocf" },
        index,
        key: `${index}.0`,
      };
      const replica = { ...emptyState(), intents: PersistentMap.from([[`${index}.0`, intent]]) };
      watch.onApplied?.(world([], { replica }), applied(index, { kind: "intents.commit", intents: [intent] }));
    };
    return [start(5, "n1"), start(6, "n2")];
  },
  H3: (watch) => {
    const one = host("n1", 1);
    const intent = { resource: "web", incarnation: "n1-1" };
    return [
      () => watch.onApplied?.(world([one]), applied(9, { kind: "intents.commit", intents: [intent] })),
      () => watch.onSpawn?.(world([one]), one, spawn({})),
      () => watch.onSpawn?.(world([one]), one, spawn({ key: "10.0" })),
    ];
  },
  H4: (watch) => {
    const late = (deadlineMs: number) => () => {
      const one = host("n1", 1, {}, { memory: { deadlineMs, plan: null } });
      one.services.active.add("web");
      watch.afterAll?.(world([one]));
    };
    return [late(99_000), late(90_000)];
  },
  H5: (watch) => {
    const start = (leaderHeardMs: number) => () => {
      const one = host("n1", 1, { leaderHeardMs, quorumRoundMs: null });
      watch.onSpawn?.(world([one]), one, spawn({}));
    };
    return [start(99_900), start(90_000)];
  },
  H6: (watch) => {
    const fence = (leaderHeardMs: number) => () => {
      const one = host("n1", 1, { leaderHeardMs, quorumRoundMs: null });
      watch.onSpawn?.(world([one]), one, spawn({ agentClass: "stonith", operation: "reboot", target: "n2" }));
    };
    return [fence(99_900), fence(90_000)];
  },
  H7: (watch) => {
    const hosts = [host("n1", 1), host("n2", 2)];
    const promote = (at: number) => () => {
      const one = hosts[at] as VirtualHost;
      one.services.promoted.add("ha");
      watch.onPromoted?.(world(hosts), one, "ha", true);
    };
    return [promote(0), promote(1)];
  },
  H8: (watch) => {
    // One that has applied only what is before the end of the reason may still carry the order out.
    const [late, b] = [host("n3", 3), host("n2", 2)];
    const a = host("n1", 1, {}, { shell: { core: { state: { ...emptyState(), index: 4 } } } });
    const all = world([a, b, late]);
    const fence = spawn({ agentClass: "stonith", operation: "reboot", target: "n2" });
    return [
      () => watch.onApplied?.(all, applied(3, { kind: "fencing.request", source: "operator", target: "n2" })),
      () => watch.onSpawn?.(all, a, fence),
      () => watch.onApplied?.(all, applied(4, { kind: "node.fenced", target: "n2" })),
      () => watch.onSpawn?.(all, late, fence),
      () => watch.onSpawn?.(all, a, fence),
    ];
  },
  H9: (watch) => {
    const action = { resource: "web", operation: "start", intervalMs: 0, agentClass: "ocf" } as never;
    const counted = (index: number, was: string, is: string) => () => {
      const at = (value: string) => ({
        ...emptyState(),
        nodes: nodes(node("n1", 1, { attributes: PersistentMap.from([["fail-count-web#start_0", value]]) })),
      });
      const command = { kind: "results.record", results: [{ key: "9.0" }] };
      watch.onApplied?.(world([], { replica: at(is) }), applied(index, command, { before: at(was) }));
    };
    return [
      () => watch.onEnd?.(world([]), host("n1", 1), "9.0", action, { kind: "exited", code: 1 } as never),
      counted(10, "0", "1"),
      counted(11, "1", "2"),
    ];
  },
  W1: (watch) => {
    const run = (witness: boolean) => () =>
      watch.onSpawn?.(world([], { replica: { ...emptyState(), nodes: nodes(node("n1", 1, { witness })) } }), host("n1", 1), spawn({}));
    return [run(false), run(true)];
  },
};

describe("what a member said while it was recovering", () => {
  const [leader, damaged] = [memberId(1), 2];
  const ack = (match: number, boot: number): never => message({ kind: "appendReply", ok: true, match, boot });
  const holders = (acks: Acknowledgements, index: number): readonly number[] => [...acks.holders(leader, 1, index)];

  test("counts once it has told the leader, in the same start, that it is whole", () => {
    const acks = new Acknowledgements();
    acks.said(damaged, leader, ack(8, 2), true);
    assert.deepEqual(holders(acks, 8), []);
    acks.whole(damaged, leader, 1, 3);
    assert.deepEqual(holders(acks, 8), [], "another start may have lost it again");
    acks.whole(damaged, leader, 1, 2);
    assert.deepEqual(holders(acks, 8), [damaged]);
  });

  test("what it said before the damage is forgotten", () => {
    const acks = new Acknowledgements();
    acks.said(damaged, leader, ack(9, 1));
    acks.forget(damaged, leader, 1, 2);
    acks.said(damaged, leader, ack(5, 2), true);
    acks.whole(damaged, leader, 1, 2);
    assert.deepEqual([holders(acks, 5), holders(acks, 6)], [[damaged], []]);
  });
});

describe("a rule of several halves: each half can fail", () => {
  const fails = (id: string, steps: readonly (() => void)[], last: () => void): void => {
    for (const step of steps) step();
    assert.throws(last, (error) => error instanceof Violation && error.id === id);
  };

  test("S8: what the disk does not hold yet is not acknowledged, whether or not it is lost later", () => {
    const watch = watcher("S8");
    const store = (index: number) => () => watch.onStored?.(world([]), host("n1", 1), write([entry(index, 1, "a")]));
    const say = () => watch.onSend?.(world([]), host("n1", 1), memberId(2), message({ kind: "appendReply", ok: true, match: 8 }));
    fails("S8", [store(8), say, store(7)], say);
  });

  test("H2: what is called fenced was switched, or is at D + S by the deadline that its guardian holds", () => {
    const fenced = (by: string, own: string, deadlineMs: number, active: readonly string[] = []) => {
      const one = host("n1", 1, {}, { memory: { deadlineMs, plan: { stopMs: 6_000 } } });
      for (const resource of active) one.services.active.add(resource);
      return () => watcher("H2").onApplied?.(world([one]), applied(9, { kind: "node.fenced", target: "n1", incarnation: own, by }));
    };
    // The clock of these hosts stands at 100,000 ms, and 1,000 + 6,000 + 500 ms after the deadline all has ended.
    fails("H2", [fenced("device", "n1-0", 0)], fenced("device", "n1-1", 0));
    fails("H2", [fenced("tsafe", "n1-1", 92_500), fenced("tsafe", "n1-0", 99_000)], fenced("tsafe", "n1-1", 92_510));
    fails("H2", [fenced("tsafe", "n1-1", 92_500, ["ping"])], fenced("tsafe", "n1-1", 92_500, ["web"]));
    fails("H2", [fenced("tsafe", "n1-1", Number.POSITIVE_INFINITY)], fenced("tsafe", "n1-1", Number.POSITIVE_INFINITY, ["web"]));
  });
});

describe("every watcher can fail", () => {
  test("each has its story", () => {
    assert.deepEqual(
      Object.keys(stories).sort(),
      allInvariants()
        .map(({ id }) => id)
        .sort(),
    );
  });
  for (const [id, story] of Object.entries(stories)) {
    test(`${id}: ${watcher(id).rule}`, () => {
      const steps = [...story(watcher(id))];
      const last = steps.pop();
      assert.ok(last);
      for (const step of steps) step();
      assert.throws(last, (error) => error instanceof Violation && error.id === id);
    });
  }
});
