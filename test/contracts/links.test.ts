import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualNetwork } from "../../src/app/sim/network.ts";
import { VirtualTime } from "../../src/app/sim/time.ts";
import { logIndex, type MemberId, memberId, seededRandom, term } from "../../src/core/base/index.ts";
import type { Proposal } from "../../src/core/cib/index.ts";
import type { Message } from "../../src/core/raft/index.ts";
import { append, heartbeat, isUp, newAuthority, startNode, type TestNode, tlsOf } from "../transport/harness.ts";
import { layCable } from "../transport/proxy.ts";

const ONE = memberId(1);
const TWO = memberId(2);

/** Two members and the wire between them. Only messages without commands, which both sides of the contract can carry. */
type Wire = {
  send(from: MemberId, to: MemberId, message: Message<never>): void;
  /** Messages that reached a member, in the order of arrival, once there are `count`. */
  arrived(at: MemberId, count: number): Promise<readonly Message<never>[]>;
  cut(): void;
  /** Resolves when messages pass again. */
  heal(): Promise<void>;
  close(): Promise<void>;
};

async function realWire(): Promise<Wire> {
  const authority = await newAuthority();
  const one = await startNode({ member: 1, tls: await tlsOf(authority, 1) });
  const two = await startNode({ member: 2, tls: await tlsOf(authority, 2) });
  const cable = await layCable(two.address);
  one.transport.setPeers([{ member: TWO, addresses: [cable.address] }]);
  await one.links.until("up", isUp);
  await two.links.until("up", isUp);
  const at = (member: MemberId): TestNode => (member === ONE ? one : two);
  return {
    send: (from, to, message) => at(from).transport.send(to, message as Message<string>),
    arrived: async (member, count) => {
      const { messages } = at(member);
      await messages.until(`${count} messages`, (items) => items.length >= count);
      return messages.items.map(({ message }) => message as Message<never>);
    },
    cut: () => cable.cut(),
    heal: async () => {
      const before = one.links.items.length;
      cable.mend();
      await one.links.until("up again", (items) => items.slice(before).some((event) => event.kind === "up"));
    },
    close: async () => void (await Promise.all([one.transport.close(), two.transport.close(), cable.close()])),
  };
}

async function virtualWire(): Promise<Wire> {
  const time = new VirtualTime();
  const inboxes = new Map<MemberId, Message<Proposal>[]>([
    [ONE, []],
    [TWO, []],
  ]);
  const network = new VirtualNetwork(time, seededRandom(1), (_from, to, message) => inboxes.get(to)?.push(message));
  return {
    send: (from, to, message) => network.send(from, to, message as Message<Proposal>),
    arrived: async (member) => {
      while (time.step(time.nowMs + 10_000) !== null);
      return (inboxes.get(member) ?? []) as unknown as readonly Message<never>[];
    },
    cut: () => {
      network.cut(ONE, TWO);
      network.cut(TWO, ONE);
    },
    heal: async () => network.heal(),
    close: async () => {},
  };
}

for (const [name, make] of [
  ["TLS links", realWire],
  ["simulated network", virtualWire],
] as const) {
  const contract = (what: string, body: (wire: Wire) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const wire = await make();
      try {
        await body(wire);
      } finally {
        await wire.close();
      }
    });
  };
  const beat = (round: number): Message<never> => heartbeat(round) as Message<never>;
  const roundsOf = (messages: readonly Message<never>[]): number[] =>
    messages.flatMap((one) => (one.kind === "heartbeat" ? [one.round] : []));

  contract("messages of one kind arrive once and in order, whole and unchanged", async (wire) => {
    for (let round = 0; round < 50; round += 1) wire.send(ONE, TWO, beat(round));
    const arrived = await wire.arrived(TWO, 50);
    assert.deepEqual(
      arrived,
      Array.from({ length: 50 }, (_, round) => beat(round)),
    );
  });

  contract("both directions are independent", async (wire) => {
    wire.send(ONE, TWO, beat(1));
    wire.send(TWO, ONE, beat(2));
    assert.deepEqual(roundsOf(await wire.arrived(TWO, 1)), [1]);
    assert.deepEqual(roundsOf(await wire.arrived(ONE, 1)), [2]);
  });

  contract("an append is carried with its position", async (wire) => {
    const message = { ...append(5, 0), entries: [{ kind: "empty", term: term(1), index: logIndex(5) }] } as Message<never>;
    wire.send(ONE, TWO, message);
    assert.deepEqual(await wire.arrived(TWO, 1), [message]);
  });

  contract("a message to nobody is lost without an error", async (wire) => {
    wire.send(ONE, memberId(99), beat(1));
    wire.send(ONE, TWO, beat(2));
    assert.deepEqual(roundsOf(await wire.arrived(TWO, 1)), [2]);
  });

  contract("what is sent into a cut is lost, silently; after it messages pass again, and none twice", async (wire) => {
    wire.send(ONE, TWO, beat(1));
    await wire.arrived(TWO, 1);
    wire.cut();
    for (let round = 2; round < 10; round += 1) wire.send(ONE, TWO, beat(round));
    await wire.heal();
    wire.send(ONE, TWO, beat(10));
    const rounds = roundsOf(await wire.arrived(TWO, 2));
    assert.deepEqual(rounds, [1, 10]);
  });
}
