import assert from "node:assert/strict";
import { test } from "node:test";
import { memberId } from "../../src/core/base/index.ts";
import type { Entry, Message } from "../../src/core/raft/index.ts";
import { formatAddress, parseAddress } from "../../src/io/transport/index.ts";
import { createFrameCodec } from "../../src/io/wire/index.ts";
import {
  append,
  CLUSTER,
  heartbeat,
  isUp,
  type NodeOptions,
  newAuthority,
  startNode,
  type TestNode,
  textCommands,
  tlsOf,
} from "./harness.ts";
import { type Cable, layCable } from "./proxy.ts";

const authority = await newAuthority();
const node = async (member: number, more: Partial<NodeOptions> = {}): Promise<TestNode> =>
  startNode({ member, tls: await tlsOf(authority, member), ...more });

const know = (from: TestNode, member: number, ...addresses: string[]): void =>
  from.transport.setPeers([{ member: memberId(member), addresses }]);

async function pair(more: Partial<NodeOptions> = {}): Promise<readonly [TestNode, TestNode, () => Promise<void>]> {
  const one = await node(1, more);
  const two = await node(2, more);
  know(one, 2, two.address);
  know(two, 1, one.address);
  await one.links.until("one is up", isUp);
  await two.links.until("two is up", isUp);
  return [one, two, async () => void (await Promise.all([one.transport.close(), two.transport.close()]))];
}

const rounds = (of: TestNode): number[] =>
  of.messages.items.flatMap(({ message }) => (message.kind === "heartbeat" ? [message.round] : []));

function plainOf<C>(entry: Entry<C>): Entry<C> {
  const { term, index } = entry;
  return entry.kind === "data" ? { term, index, kind: "data", data: entry.data } : entry;
}

test("addresses are host:port, IPv6 in brackets", () => {
  assert.deepEqual(parseAddress("[fe80::1]:7400"), { host: "fe80::1", port: 7400 });
  assert.deepEqual(parseAddress("node-1:7400"), { host: "node-1", port: 7400 });
  for (const wrong of ["node-1", "::1:7400", "a:0", "a:65536", "a:b", ":7", "[::1]", "[fe80::1%eth0]:7"])
    assert.equal(parseAddress(wrong), null, wrong);
  assert.equal(formatAddress("::1", 7), "[::1]:7");
});

test("messages arrive once, in the order of their lane, both ways", async () => {
  const [one, two, close] = await pair();
  for (let round = 0; round < 500; round += 1) one.transport.send(memberId(2), heartbeat(round));
  two.transport.send(memberId(1), append(1, 3, "hello"));
  await two.messages.until("500 heartbeats", (items) => items.length === 500);
  await one.messages.until("an append", (items) => items.length === 1);
  assert.deepEqual(
    rounds(two),
    Array.from({ length: 500 }, (_, round) => round),
  );
  const received = one.messages.items[0];
  assert.ok(received?.message.kind === "append");
  // Commands arrive as bytes and are read when they are asked for.
  const entries = received.message.entries.map(plainOf);
  assert.deepEqual({ from: received.from, message: { ...received.message, entries } }, { from: 2, message: append(1, 3, "hello") });
  assert.equal(one.transport.stats().peers[0]?.droppedMessages, 0);
  one.transport.send(memberId(2), heartbeat(500));
  await close();
});

test("both ends dial at the same instant, again and again: one link is left, and it works", async () => {
  for (let turn = 0; turn < 10; turn += 1) {
    const [one, two, close] = await pair();
    one.transport.send(memberId(2), heartbeat(turn));
    two.transport.send(memberId(1), heartbeat(turn));
    await one.messages.until("a heartbeat", (items) => items.length === 1);
    await two.messages.until("a heartbeat", (items) => items.length === 1);
    assert.deepEqual(
      one.links.items.filter((event) => event.kind !== "gone").map((event) => event.kind),
      ["up"],
    );
    await close();
  }
});

test("heartbeats overtake bulk data that waits", async () => {
  const [one, two, close] = await pair();
  const text = "y".repeat(200_000);
  for (let number = 0; number < 20; number += 1) one.transport.send(memberId(2), append(1 + number, 1, text));
  one.transport.send(memberId(2), heartbeat(1));
  await two.messages.until("all", (items) => items.length === 21);
  const at = two.messages.items.findIndex(({ message }) => message.kind === "heartbeat");
  assert.ok(at <= 3, `the heartbeat came after ${at} appends`);
  await close();
});

test("a full queue drops the oldest data, never votes", async () => {
  const one = await node(1);
  const two = await node(2);
  const cable = await layCable(two.address);
  know(one, 2, cable.address);
  await one.links.until("up", isUp);
  cable.cut();
  const vote: Message<string> = { ...heartbeat(0), kind: "voteReply", granted: true, reason: null } as never;
  one.transport.send(memberId(2), vote);
  const text = "z".repeat(1_000_000);
  for (let number = 0; number < 30; number += 1) one.transport.send(memberId(2), append(1 + number, 1, text));
  const stats = one.transport.stats().peers[0];
  assert.ok(stats !== undefined && stats.queuedBytes <= 8 * 1024 * 1024, `${stats?.queuedBytes} bytes are queued`);
  assert.ok(stats.droppedMessages > 15);
  await Promise.all([one.transport.close(), two.transport.close(), cable.close()]);
});

test("a daemon that ends is told from a host that falls silent", async () => {
  const [one, two] = await pair();
  await two.transport.close();
  await one.links.until("down and gone", (events) => events.some((event) => event.kind === "gone"));
  const down = one.links.items.find((event) => event.kind === "down");
  assert.deepEqual(down, { kind: "down", member: 2, cause: "closed", hostAnswers: true });
  await one.transport.close();

  const three = await node(1);
  const four = await node(2);
  const cable = await layCable(four.address);
  know(three, 2, cable.address);
  await three.links.until("up", isUp);
  cable.cut();
  await three.links.until("down", (events) => events.some((event) => event.kind === "down"));
  const silent = three.links.items.find((event) => event.kind === "down");
  assert.deepEqual(silent, { kind: "down", member: 2, cause: "silent", hostAnswers: false });
  cable.mend();
  await three.links.until("up again", (events) => events.filter((event) => event.kind === "up").length === 2);
  await Promise.all([three.transport.close(), four.transport.close(), cable.close()]);
});

test("a restarted daemon is found again, with its new boot number", async () => {
  const [one, two] = await pair();
  const port = two.transport.listening[0]!.port;
  await two.transport.close();
  const again = await node(2, { port, boot: 2 });
  await one.links.until("up again", (events) => events.some((event) => event.kind === "up" && event.boot === 2));
  one.transport.send(memberId(2), heartbeat(7));
  await again.messages.until("a heartbeat", (items) => items.length === 1);
  await Promise.all([one.transport.close(), again.transport.close()]);
});

/** Two members over two rings, each a cable that can be cut. */
async function twoRings(): Promise<readonly [TestNode, TestNode, Cable, Cable, () => Promise<void>]> {
  const one = await node(1);
  const two = await node(2, { rings: 2 });
  const first = await layCable(`127.0.0.1:${two.transport.listening[0]!.port}`);
  const second = await layCable(`127.0.0.1:${two.transport.listening[1]!.port}`);
  know(one, 2, first.address, second.address);
  const up = (peer: TestNode) => peer.transport.stats().peers[0]?.paths.filter((path) => path.state === "up").length === 2;
  // Both rings are up when pings have been seen on both; the journal of links only tells of the first.
  for (let turn = 0; turn < 400 && !(up(one) && up(two)); turn += 1)
    await new Promise((resolve) => setImmediate(() => setTimeout(resolve, 5)));
  assert.ok(up(one) && up(two));
  const close = async (): Promise<void> =>
    void (await Promise.all([one.transport.close(), two.transport.close(), first.close(), second.close()]));
  return [one, two, first, second, close];
}

test("a cut ring moves messages to the other one before an election timeout, and nobody is reported down", async () => {
  const [one, two, first, second, close] = await twoRings();
  const active = one.transport.stats().peers[0]?.paths.find((path) => path.active)?.ring;
  const startedMs = performance.now();
  (active === 0 ? first : second).cut();
  let round = 0;
  const timer = setInterval(() => {
    one.transport.send(memberId(2), heartbeat(round));
    two.transport.send(memberId(1), heartbeat(round));
    round += 1;
  }, 20);
  await one.links.until("moved", (events) => events.some((event) => event.kind === "moved"));
  const movedMs = performance.now() - startedMs;
  const before = two.messages.items.length;
  await two.messages.until("heartbeats on the other ring", (items) => items.length > before + 3);
  await one.messages.until("heartbeats back", (items) => items.length > 3);
  clearInterval(timer);
  assert.ok(movedMs < 2000, `moved after ${movedMs} ms`);
  assert.equal(
    one.links.items.some((event) => event.kind === "down"),
    false,
  );
  assert.equal(
    two.links.items.some((event) => event.kind === "down"),
    false,
  );
  await close();
});

test("a ring that is cut one way is left by both ends", async () => {
  const [one, two, first, second, close] = await twoRings();
  const active = two.transport.stats().peers[0]?.paths.find((path) => path.active)?.ring;
  (active === 0 ? first : second).cutReplies();
  await two.links.until("the end that still hears everything moves too", (events) => events.some((event) => event.kind === "moved"));
  two.transport.send(memberId(1), heartbeat(1));
  await one.messages.until("a heartbeat", (items) => items.length === 1);
  await close();
});

test("a member that lost its rights loses its link at the next look", async () => {
  let allowed = true;
  const one = await node(1, {
    admit: () => (allowed ? { kind: "admitted" } : { kind: "refused", code: "LINK_REMOVED", reason: "removed by the operator" }),
  });
  const two = await node(2);
  know(one, 2, two.address);
  know(two, 1, one.address);
  await two.links.until("up", isUp);
  allowed = false;
  one.transport.recheck();
  await two.links.until("told why", (events) => events.some((event) => event.kind === "rejected" && event.code === "LINK_REMOVED"));
  await Promise.all([one.transport.close(), two.transport.close()]);
});

test("a renewed certificate serves new links; the one that is up stays", async () => {
  const [one, two, close] = await pair();
  one.transport.setTls(await tlsOf(authority, 1));
  const three = await node(3);
  know(three, 1, one.address);
  await three.links.until("up", isUp);
  one.transport.send(memberId(2), heartbeat(1));
  await two.messages.until("a heartbeat", (items) => items.length === 1);
  await three.transport.close();
  await close();
});

test("an entry of a newer version stops the node before it is acknowledged", async () => {
  const strict = { ...textCommands, decode: (): string => assert.fail("command of feature level 9") };
  const one = await node(1);
  const two = await node(2, { codec: createFrameCodec({ cluster: CLUSTER, self: memberId(2), commands: strict }) });
  know(one, 2, two.address);
  await one.links.until("up", isUp);
  one.transport.send(memberId(2), append(1, 1));
  await two.lines.until("fatal", (lines) => lines.some((line) => line.level === "fatal" && /feature level 9/.test(line.message)));
  await Promise.all([one.transport.close(), two.transport.close()]);
});

test("a port that is taken is an error, not a crash", async () => {
  const one = await node(1);
  await assert.rejects(node(2, { port: one.transport.listening[0]!.port }), /cannot listen on 127.0.0.1/);
  await one.transport.close();
});
