import assert from "node:assert/strict";
import { test } from "node:test";
import { incarnation, logIndex, memberId, seededRandom, term } from "../../src/core/base/index.ts";
import type { Configuration, Entry, Message } from "../../src/core/raft/index.ts";
import {
  byteRanges,
  type CommandCodec,
  committedEntry,
  configurationFromPlain,
  configurationToPlain,
  crc32c,
  createFrameCodec,
  decodeEntry,
  encodeEntry,
  FRAME_BYTES_MAX,
  openFrame,
  packBytes,
  packedEntry,
  sealFrame,
  unpackBytes,
} from "../../src/io/wire/index.ts";

const CLUSTER = "00112233445566aa";
const commands: CommandCodec<string> = { encode: (command) => Buffer.from(command), decode: (bytes) => Buffer.from(bytes).toString() };
const one = createFrameCodec({ cluster: CLUSTER, self: memberId(1), commands });
const two = createFrameCodec({ cluster: CLUSTER, self: memberId(2 ** 52 + 1), commands });
const TO = memberId(2 ** 52 + 1);
const FROM = memberId(1);

const configuration: Configuration = {
  voters: new Map([
    [memberId(9), 2],
    [memberId(1), 1],
  ]),
  outgoing: new Map([[memberId(1), 1]]),
  learners: new Set([memberId(4), memberId(3)]),
  learnersNext: new Set(),
  witnesses: new Set([memberId(9)]),
  autoLeave: true,
  members: new Map([
    [memberId(9), { name: "b", addresses: ["10.0.0.2:7400", "[fd00::2]:7400"], incarnation: incarnation("abc") }],
    [memberId(1), { name: "a", addresses: [], incarnation: null }],
  ]),
};

const head = { term: term(5), boot: 3 } as const;
const at = logIndex;
const last = { term: term(4), index: at(7) };
const snapshot = { last, configuration, sizeBytes: 5, hash: "ab".repeat(32) };
const member = { name: "c", addresses: ["h:1"], incarnation: null };

/** One message of each kind, with every optional field both ways round. */
const MESSAGES: readonly Message<string>[] = [
  { ...head, kind: "preVote", forTerm: term(6), lastIndex: at(7), lastTerm: term(4), configIndex: at(2) },
  { ...head, kind: "preVoteReply", forTerm: term(6), granted: false, reason: "recovering" },
  { ...head, kind: "vote", lastIndex: at(7), lastTerm: term(4), configIndex: at(2), transfer: true },
  { ...head, kind: "voteReply", granted: true, reason: null },
  {
    ...head,
    kind: "append",
    prevIndex: at(6),
    prevTerm: term(4),
    commit: at(5),
    entries: [
      { kind: "empty", term: term(5), index: at(7) },
      { kind: "data", term: term(5), index: at(8), data: "primitive vip" },
      { kind: "config", term: term(5), index: at(9), configuration },
    ],
  },
  {
    ...head,
    kind: "appendReply",
    ok: false,
    match: at(0),
    prevIndex: at(6),
    hintIndex: at(3),
    hintTerm: term(2),
    storeAgeMs: 12.5,
    state: "recovering",
  },
  { ...head, kind: "heartbeat", commit: at(5), leaderCommit: at(9), round: 77, quorumAgeMs: 4, echoMs: null, echoBoot: 2 },
  { ...head, kind: "heartbeatReply", round: 77, nonceMs: -3, storeAgeMs: 0, applied: at(4), state: "normal" },
  { ...head, kind: "snapChunk", snapshot, offset: 0, length: 5, data: Buffer.from("bytes") },
  { ...head, kind: "snapReply", last, nextOffset: 5, done: true, reason: "hash" },
  { ...head, kind: "timeoutNow", lastIndex: at(7) },
  { ...head, kind: "readIndex", context: 12 },
  { ...head, kind: "readIndexReply", context: 12, forBoot: 2, index: at(7), reason: null },
  { ...head, kind: "propose", context: 13, commands: ["a", ""] },
  { ...head, kind: "proposeReply", context: 13, forBoot: 2, first: last, reason: null, leader: memberId(9) },
  { ...head, kind: "proposeReply", context: 13, forBoot: 2, first: null, reason: "busy", leader: null },
  {
    ...head,
    kind: "change",
    context: 14,
    request: {
      kind: "change",
      mode: "joint",
      changes: [
        { op: "voter", id: memberId(4), votes: 1, witness: true, member },
        { op: "voter", id: memberId(5), votes: 0 },
        { op: "learner", id: memberId(6), member },
        { op: "remove", id: memberId(7) },
        { op: "member", id: memberId(8), member },
      ],
    },
  },
  { ...head, kind: "change", context: 15, request: { kind: "leave" } },
  { ...head, kind: "changeReply", context: 14, forBoot: 2, outcome: { kind: "done", index: at(44) } },
  {
    ...head,
    kind: "changeReply",
    context: 14,
    forBoot: 2,
    outcome: { kind: "refused", reason: "not-leader", detail: "ask 9", leader: memberId(9) },
  },
  { ...head, kind: "removed", configIndex: at(40) },
];

const GOLDEN: readonly (readonly [Message<string>["kind"], string])[] = [
  [
    "vote",
    "01735a462a8aa7636c7573746572b030303131323233333434353536366161a466726f6d01a2746fcb4330000000000001a47465726d05a4626f6f7403a46b696e64a4766f7465a96c617374496e64657807a86c6173745465726d04ab636f6e666967496e64657802a87472616e73666572c3",
  ],
  [
    "append",
    "01d3ee43298aa7636c7573746572b030303131323233333434353536366161a466726f6d01a2746fcb4330000000000001a47465726d05a4626f6f7403a46b696e64a6617070656e64a970726576496e64657806a8707265765465726d04a6636f6d6d697405a7656e747269657393c404930500c0c412930501c40d7072696d697469766520766970c4bd93050287a6766f7465727392920101920902a86f7574676f696e6791920101a86c6561726e657273920304ac6c6561726e6572734e65787490a97769746e65737365739109a96175746f4c65617665c3a76d656d6265727392920183a46e616d65a161a961646472657373657390ab696e6361726e6174696f6ec0920983a46e616d65a162a961646472657373657392ad31302e302e302e323a37343030ae5b666430303a3a325d3a37343030ab696e6361726e6174696f6ea3616263",
  ],
  [
    "heartbeat",
    "013db0c8c88ca7636c7573746572b030303131323233333434353536366161a466726f6d01a2746fcb4330000000000001a47465726d05a4626f6f7403a46b696e64a9686561727462656174a6636f6d6d697405ac6c6561646572436f6d6d697409a5726f756e644dab71756f72756d4167654d7304a66563686f4d73c0a86563686f426f6f7402",
  ],
  [
    "snapReply",
    "01587278198aa7636c7573746572b030303131323233333434353536366161a466726f6d01a2746fcb4330000000000001a47465726d05a4626f6f7403a46b696e64a9736e61705265706c79a46c61737482a47465726d04a5696e64657807aa6e6578744f666673657405a4646f6e65c3a6726561736f6ea468617368",
  ],
  [
    "removed",
    "019b065e2a87a7636c7573746572b030303131323233333434353536366161a466726f6d01a2746fcb4330000000000001a47465726d05a4626f6f7403a46b696e64a772656d6f766564ab636f6e666967496e64657828",
  ],
];

function plainEntryOf<C>(entry: Entry<C>): Entry<C> {
  const { term, index } = entry;
  return entry.kind === "data" ? { term, index, kind: "data", data: entry.data } : entry;
}

const plainOf = (message: Message<string>): Message<string> =>
  message.kind === "append" ? { ...message, entries: message.entries.map(plainEntryOf) } : message;

const received = (bytes: Uint8Array, from = FROM) => two.decode(from, bytes);

test("every message comes out as it went in, in a known lane", () => {
  for (const message of MESSAGES) {
    const { bytes, lane, isVote } = one.encode(TO, message);
    const decoded = received(bytes);
    assert.equal(decoded.kind, "message");
    assert.deepEqual(decoded.kind === "message" && plainOf(decoded.message), message, message.kind);
    assert.equal(isVote, ["vote", "voteReply", "preVote", "preVoteReply", "timeoutNow"].includes(message.kind), message.kind);
    assert.equal(
      lane,
      message.kind === "snapChunk" ? "bulk" : ["append", "propose", "change"].includes(message.kind) ? "ordinary" : "urgent",
    );
  }
});

test("golden bytes: version 1 of the wire does not change by accident", () => {
  for (const [kind, hex] of GOLDEN) {
    const message = MESSAGES.find((candidate) => candidate.kind === kind)!;
    assert.equal(Buffer.from(one.encode(TO, message).bytes).toString("hex"), hex, kind);
    const decoded = received(Buffer.from(hex, "hex"));
    assert.deepEqual(decoded.kind === "message" && plainOf(decoded.message), message);
  }
});

test("equal configurations give equal bytes, in whatever order they were built", () => {
  const shuffled: Configuration = {
    ...configuration,
    voters: new Map([...configuration.voters].reverse()),
    learners: new Set([...configuration.learners].reverse()),
    members: new Map([...configuration.members].reverse()),
  };
  assert.deepEqual(packBytes(configurationToPlain(shuffled)), packBytes(configurationToPlain(configuration)));
  assert.deepEqual(configurationFromPlain(unpackBytes(packBytes(configurationToPlain(configuration)))), configuration);
});

test("CRC-32C: the vectors of RFC 3720 B.4, at every alignment, in parts", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, byte) => byte);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(ascending), 0x46dd794e);
  assert.equal(crc32c(ascending.toReversed()), 0x113fdb5c);
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
  for (let cut = 0; cut <= 32; cut += 1) assert.equal(crc32c(ascending.subarray(cut), crc32c(ascending.subarray(0, cut))), 0x46dd794e);
});

test("no flipped bit of a frame is taken for a message", () => {
  const { bytes } = one.encode(TO, MESSAGES[4]!);
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(received(flipped).kind, "refused", `bit ${bit}`);
  }
  for (let length = 0; length < bytes.length; length += 1) assert.equal(received(bytes.subarray(0, length)).kind, "refused");
});

const refusal = (bytes: Uint8Array, from = FROM): string => {
  const decoded = received(bytes, from);
  return decoded.kind === "refused" ? decoded.code : decoded.kind;
};

test("frames for others, from others, of other versions and without sense", () => {
  const good = { cluster: CLUSTER, from: FROM, to: TO, ...head, kind: "readIndex", context: 1 };
  assert.equal(refusal(sealFrame(good)), "message");
  const old = Buffer.from(sealFrame(good));
  old[0] = 0;
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ["an old version", old, "FRAME_VERSION"],
    ["another cluster", sealFrame({ ...good, cluster: "ff112233445566aa" }), "FRAME_OTHER_CLUSTER"],
    ["another sender than the link's", sealFrame({ ...good, from: 3 }), "FRAME_OTHER_MEMBER"],
    ["a wiped member's old id", sealFrame({ ...good, to: 77 }), "FRAME_OTHER_MEMBER"],
    ["an unknown kind", sealFrame({ ...good, kind: "gossip" }), "unknown"],
    ["no boot", sealFrame({ ...good, boot: undefined }), "FRAME_MALFORMED"],
    ["a negative term", sealFrame({ ...good, term: -1 }), "FRAME_MALFORMED"],
    ["a term that is text", sealFrame({ ...good, term: "5" }), "FRAME_MALFORMED"],
    ["a list", sealFrame([1, 2]), "FRAME_MALFORMED"],
    [
      "entries that are no bytes",
      sealFrame({ ...good, kind: "append", prevIndex: 0, prevTerm: 0, commit: 0, entries: [7] }),
      "FRAME_MALFORMED",
    ],
    [
      "an entry of no kind",
      sealFrame({ ...good, kind: "append", prevIndex: 0, prevTerm: 0, commit: 0, entries: [packBytes([1, 9, null])] }),
      "undecodable",
    ],
    [
      "a chunk of another length",
      sealFrame({ ...good, kind: "snapChunk", snapshot: {}, offset: 0, length: 9, data: Buffer.from("x") }),
      "FRAME_MALFORMED",
    ],
  ];
  for (const [name, bytes, expected] of cases) assert.equal(refusal(bytes), expected, name);
});

test("a frame above the limit is neither built nor read", () => {
  const huge = "x".repeat(FRAME_BYTES_MAX);
  assert.throws(() => one.encode(TO, { ...head, kind: "propose", context: 1, commands: [huge] }), /exceeds the limit/);
  assert.deepEqual(openFrame(new Uint8Array(FRAME_BYTES_MAX + 1)).kind, "refused");
});

test("an entry is encoded once for the disk and all followers", () => {
  let count = 0;
  const counting: CommandCodec<string> = {
    ...commands,
    encode: (command) => {
      count += 1;
      return Buffer.from(command);
    },
  };
  const entry = { kind: "data", term: term(1), index: at(1), data: "x" } as const;
  const first = encodeEntry(entry, counting);
  assert.equal(encodeEntry(entry, counting), first);
  assert.equal(count, 1);
  const decoded = decodeEntry(first, at(1), counting);
  assert.equal(encodeEntry(decoded, counting), first);
  assert.equal(count, 1);
  assert.deepEqual(plainEntryOf(decoded), entry);
  const made = packedEntry(entry, entry.data, counting);
  assert.deepEqual(Buffer.from(encodeEntry(made, counting)), Buffer.from(first));
  assert.equal(encodeEntry(made, counting), encodeEntry(made, counting));
  assert.equal(count, 2);
});

test("an entry that is made has the bytes that msgpack writes, whatever its term and size", () => {
  const plain: CommandCodec<Uint8Array> = { encode: (bytes) => bytes, decode: (bytes) => bytes };
  for (const number of [1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
    for (const size of [0, 1, 255, 256, 65_535, 65_536, 70_000]) {
      const data = Buffer.alloc(size, "x");
      const made = packedEntry({ term: term(number), index: at(1) }, data, plain);
      assert.deepEqual(Buffer.from(encodeEntry(made, plain)), Buffer.from(packBytes([number, 1, data])), `term ${number}, ${size} bytes`);
    }
  }
});

test("a command is decoded on its way in, handed out once and read anew after that", () => {
  let count = 0;
  const counting: CommandCodec<string> = {
    ...commands,
    decode: (bytes) => {
      count += 1;
      return Buffer.from(bytes).toString();
    },
  };
  const id = { term: term(3), index: at(7) };
  const made = packedEntry(id, "x", counting);
  const arrived = decodeEntry(encodeEntry(made, counting), at(7), counting);
  assert.equal(count, 1, "what cannot be read is refused before anybody acknowledges it");
  for (const [entry, expected] of [
    [made, 1],
    [arrived, 2],
  ] as const) {
    assert.ok(entry.kind === "data");
    assert.equal(entry.sizeBytes, 1);
    assert.deepEqual([entry.data, entry.data], ["x", "x"]);
    assert.equal(count, 1 + expected, "the first time it is known, the second time it is not");
  }
});

test("committed entries of the store are read when they are wanted, as the general way reads them", () => {
  const random = seededRandom(20262);
  for (let round = 0; round < 300; round += 1) {
    const base = { term: term([0, 127, 128, 255, 256, 65_536, 2 ** 32, 2 ** 53 - 1][random.below(8)]!), index: at(1 + round) };
    const text = "x".repeat([0, 1, 40, 255, 256, 65_535, 65_536][random.below(7)]!);
    const kinds = [{ kind: "data", data: text }, { kind: "empty" }, { kind: "config", configuration }] as const;
    const entry = { ...base, ...kinds[random.below(3)]! };
    const bytes = packBytes(unpackBytes(encodeEntry(entry, commands)));
    const read = committedEntry(bytes, entry.index, commands);
    assert.deepEqual([read.term, read.index, read.kind], [entry.term, entry.index, entry.kind]);
    if (read.kind === "data") {
      assert.equal(read.data, text);
      assert.equal(read.sizeBytes ?? text.length, text.length);
    } else assert.deepEqual(read, entry);
    assert.deepEqual(Buffer.from(encodeEntry(read, commands)), Buffer.from(bytes));
    const cut = bytes.subarray(0, random.below(bytes.length));
    assert.throws(() => committedEntry(cut, entry.index, commands), /cannot be decoded/);
  }
});

test("the places of byte strings in a list: the general way finds the same, and what is no such list is refused", () => {
  const random = seededRandom(20263);
  for (const count of [0, 1, 15, 16, 300, 65_536]) {
    const parts = Array.from({ length: count }, () =>
      Buffer.alloc(count > 1000 ? 1 : [0, 7, 256, 65_536][random.below(4)]!, random.below(256)),
    );
    const bytes = packBytes(parts);
    const ranges = byteRanges(bytes);
    assert.ok(ranges !== null);
    const found = Array.from({ length: ranges.length / 2 }, (_, n) => bytes.subarray(ranges[2 * n], ranges[2 * n + 1]));
    assert.ok(found.length === count && found.every((one, n) => parts[n]!.equals(one)));
    assert.equal(byteRanges(bytes.subarray(0, -1)), null, "cut short");
    assert.equal(byteRanges(Buffer.concat([bytes, Buffer.from([0])])), null, "more behind it");
  }
  for (const value of [null, 7, "x", { a: 1 }, [1], ["x"], [[]], [Buffer.from("x"), 1]]) assert.equal(byteRanges(packBytes(value)), null);
});

test("heartbeats: the short way writes and reads what the general one does", () => {
  const random = seededRandom(20261);
  const count = (): number => (random.below(2) === 0 ? random.below(300) : Math.floor(random.fraction() * 2 ** (1 + random.below(53))));
  const state = (["normal", "recovering", "learner"] as const)[random.below(3)]!;
  for (let round = 0; round < 2_000; round += 1) {
    const unusual = random.below(20) === 0;
    const header = { term: term(count()), boot: count() };
    const maybe = (): number | null => (random.below(3) === 0 ? null : unusual ? -1.5 : count());
    const message: Message<string> =
      random.below(2) === 0
        ? {
            ...header,
            kind: "heartbeat",
            commit: at(count()),
            leaderCommit: at(count()),
            round: count(),
            quorumAgeMs: maybe(),
            echoMs: maybe(),
            echoBoot: count(),
          }
        : {
            ...header,
            kind: "heartbeatReply",
            round: count(),
            nonceMs: unusual ? -7 : count(),
            storeAgeMs: count(),
            applied: at(count()),
            state,
          };
    const general = sealFrame({ cluster: CLUSTER, from: FROM, to: TO, ...message });
    const { bytes } = one.encode(TO, message);
    assert.equal(Buffer.from(bytes).toString("hex"), Buffer.from(general).toString("hex"));
    assert.deepEqual(received(bytes), { kind: "message", message });
    const other = random.below(bytes.length);
    const flipped = Buffer.from(bytes);
    flipped[other] = flipped[other]! ^ (1 << random.below(8));
    assert.equal(received(flipped).kind, "refused", `a flip in byte ${other}`);
    assert.equal(received(bytes.subarray(0, other)).kind, "refused", `cut after byte ${other}`);
  }
  const foreign = createFrameCodec({ cluster: CLUSTER, self: memberId(7), commands });
  const beat: Message<string> = { ...head, kind: "heartbeatReply", round: 1, nonceMs: 2, storeAgeMs: 0, applied: at(4), state: "normal" };
  assert.equal(received(foreign.encode(TO, beat).bytes).kind, "refused", "another sender than the link's");
  assert.equal(received(one.encode(memberId(8), beat).bytes).kind, "refused", "another receiver");
});
