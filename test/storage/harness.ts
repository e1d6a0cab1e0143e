import { createHash } from "node:crypto";
import { createSimulatedDisk, type SimulatedDisk } from "../../src/app/sim/disk.ts";
import { logIndex, memberId, seededRandom, term } from "../../src/core/base/index.ts";
import { type Configuration, type Entry, emptyConfiguration, type SnapshotMeta } from "../../src/core/raft/index.ts";
import { createRaftStore, type Opened, openRaftStore, type RaftStore, type StoreWrite } from "../../src/io/storage/index.ts";
import type { CommandCodec } from "../../src/io/wire/index.ts";

export const textCommands: CommandCodec<string> = {
  encode: (command) => Buffer.from(command, "utf8"),
  decode: (bytes) => Buffer.from(bytes).toString("utf8"),
};

export const IDENTITY = { cluster: "00112233445566aa", member: memberId(77), nodeName: "alpha", createdAtMs: 1 } as const;

export const configuration: Configuration = {
  ...emptyConfiguration(),
  voters: new Map([
    [memberId(77), 1],
    [memberId(9), 2],
  ]),
  members: new Map([[memberId(77), { name: "alpha", addresses: ["10.0.0.1:7400"], incarnation: null }]]),
};

export const data = (index: number, ofTerm: number, text = `command ${index} of ${ofTerm}`): Entry<string> => ({
  kind: "data",
  index: logIndex(index),
  term: term(ofTerm),
  data: text,
});

export const config = (index: number, ofTerm: number): Entry<string> => ({
  kind: "config",
  index: logIndex(index),
  term: term(ofTerm),
  configuration,
});

export const range = (from: number, to: number, ofTerm: number): Entry<string>[] =>
  Array.from({ length: to - from + 1 }, (_, at) => data(from + at, ofTerm));

export const write = (part: Partial<StoreWrite<string>>): StoreWrite<string> => ({
  hard: null,
  entries: [],
  snapshot: null,
  recovered: false,
  ...part,
});

export const hard = (ofTerm: number, vote: number | null, commit: number) => ({
  term: term(ofTerm),
  vote: vote === null ? null : memberId(vote),
  commit: logIndex(commit),
});

export const snapshotOf = (bytes: Uint8Array, index: number, ofTerm: number): SnapshotMeta => ({
  last: { index: logIndex(index), term: term(ofTerm) },
  configuration,
  sizeBytes: bytes.length,
  hash: createHash("sha256").update(bytes).digest("hex"),
});

export const newDisk = (seed: number): SimulatedDisk =>
  createSimulatedDisk({ random: seededRandom(seed), schedule: (_delayMs, then) => queueMicrotask(then) });

export const open = (disk: SimulatedDisk, expected: typeof IDENTITY | null = IDENTITY): Promise<Opened<string>> =>
  openRaftStore({ ...disk.open(), commands: textCommands, expected, now: () => 0 });

/** Opens a store that must open. */
export async function reopen(disk: SimulatedDisk) {
  const opened = await open(disk);
  if (opened.kind !== "opened") throw new Error(`the store answered ${JSON.stringify(opened)}`);
  return opened;
}

/** A new store, open. */
export async function fresh(seed = 1): Promise<{ disk: SimulatedDisk; store: RaftStore<string> }> {
  const disk = newDisk(seed);
  await createRaftStore({ ...disk.open(), identity: IDENTITY });
  const { store } = await reopen(disk);
  return { disk, store };
}

export const told = (entries: readonly Entry<string>[]): string[] =>
  entries.map((entry) => `${entry.index}/${entry.term} ${entry.kind === "data" ? entry.data : entry.kind}`);
