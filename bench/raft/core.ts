import { parseArgs } from "node:util";
import { logIndex, type MemberId, memberId, seededRandom, term } from "../../src/core/base/index.ts";
import { createRaft, emptyConfiguration, type RaftCore, type Ready } from "../../src/core/raft/index.ts";

/**
 * What the consensus core itself costs: three servers in one process, messages handed over by call, every write done
 * at once, no encoding. The floor of CPU under a commit; disk and wire come on top (see the other benches).
 */
const { values } = parseArgs({
  options: {
    commits: { type: "string", default: "200000" },
    batch: { type: "string", default: "1,16,256" },
    bytes: { type: "string", default: "256" },
    json: { type: "boolean", default: false },
  },
});

type Command = { readonly bytes: number };
type Node = { readonly id: MemberId; readonly core: RaftCore<Command> };

function start(): readonly Node[] {
  const ids = [1, 2, 3].map(memberId);
  const zero = { term: term(0), index: logIndex(0) };
  const configuration = { ...emptyConfiguration(), voters: new Map(ids.map((id) => [id, 1] as const)) };
  return ids.map((id) => {
    const restored = {
      hard: { term: term(0), vote: null, commit: logIndex(0) },
      mark: zero,
      snapshot: { last: zero, configuration, sizeBytes: 0, hash: "" },
      entries: [],
      recovering: false,
    };
    const core = createRaft<Command>({
      id,
      boot: 1,
      startMs: 0,
      random: seededRandom(id),
      restored,
      sizeOf: (command) => command.bytes,
      restartWait: false,
    });
    return { id, core };
  });
}

/** Runs everything that the three owe until nothing moves; counts messages. */
function settle(nodes: readonly Node[], count: { messages: number; snapshots: number }): void {
  for (let moved = true; moved; ) {
    moved = false;
    for (const node of nodes) {
      const ready = node.core.ready();
      moved = serve(nodes, node, ready, count) || moved;
    }
  }
}

function serve(nodes: readonly Node[], node: Node, ready: Ready<Command>, count: { messages: number; snapshots: number }): boolean {
  if (ready.ticket !== null) node.core.step({ kind: "stored", nowMs: 0, ticket: ready.ticket });
  const last = ready.commit.at(-1);
  if (last !== undefined) {
    node.core.step({ kind: "applied", index: last.index });
    // The log is kept short, as a host does it.
    if (last.index % 8192 < ready.commit.length) {
      const snapshot = {
        last: { term: last.term, index: last.index },
        configuration: node.core.configurationAt(last.index),
        sizeBytes: 0,
        hash: `${last.index}`,
      };
      node.core.step({ kind: "snapshotTaken", snapshot });
      count.snapshots += 1;
    }
  }
  for (const { to, message } of [...ready.sendNow, ...ready.sendAfter]) {
    count.messages += 1;
    nodes.find((one) => one.id === to)?.core.step({ kind: "message", nowMs: 0, from: node.id, message });
  }
  return ready.ticket !== null || ready.commit.length > 0 || ready.sendNow.length + ready.sendAfter.length > 0;
}

function run(commits: number, batch: number, bytes: number): Record<string, number> {
  const nodes = start();
  const leader = nodes[0] as Node;
  const count = { messages: 0, snapshots: 0 };
  leader.core.step({ kind: "campaign", nowMs: 0 });
  settle(nodes, count);
  const commands = Array.from({ length: batch }, (): Command => ({ bytes }));
  const propose = (context: number): void => {
    leader.core.step({ kind: "propose", context, commands });
    settle(nodes, count);
  };
  for (let n = 0; n < 2000 / batch; n += 1) propose(n);
  count.messages = 0;
  const heapBefore = process.memoryUsage().heapUsed;
  const began = process.hrtime.bigint();
  for (let n = 0; n < commits / batch; n += 1) propose(n);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const done = Math.ceil(commits / batch) * batch;
  return {
    batch,
    commitsPerSecond: Math.round(done / seconds),
    microsecondsPerCommit: Math.round((seconds * 1e7) / done) / 10,
    messagesPerCommit: Math.round((count.messages * 100) / done) / 100,
    heapGrowthMiB: Math.round((process.memoryUsage().heapUsed - heapBefore) / 2 ** 20),
  };
}

const results = values.batch.split(",").map((batch) => run(Number(values.commits), Number(batch), Number(values.bytes)));
if (values.json) console.log(JSON.stringify({ bench: "raft-core", bytes: Number(values.bytes), results }));
else
  for (const row of results)
    console.log(
      Object.entries(row)
        .map(([name, value]) => `${name} ${value}`)
        .join("  "),
    );
