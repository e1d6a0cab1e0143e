import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { incarnation, QuorateError, term } from "../../src/core/base/index.ts";
import type { ActionResult, AgentAction, FromGuardian, ToGuardian } from "../../src/core/ports/index.ts";
import {
  EXECUTOR_QUEUE_MAX,
  type ExecutorEvent,
  encodeFrame,
  FrameReader,
  GUARDIAN_FRAME_MAX_BYTES,
  type GuardianLink,
  linkGuardian,
  monotonicMs,
  type RunRequest,
  readFromGuardian,
  readToGuardian,
  type Welcome,
} from "../../src/io/executor/index.ts";

const PATIENCE_MS = 20_000;

const monitor: AgentAction = {
  resource: "r",
  agentClass: "ocf",
  provider: "quorate",
  type: "dummy",
  operation: "monitor",
  intervalMs: 0,
  timeoutMs: 1_000,
  params: {},
  meta: {},
  node: "n1",
  target: null,
};
const request = (key: string): RunRequest => ({ key, origin: null, action: monitor, planVersion: 1 });
const resultOf = (key: string): ActionResult => ({
  key,
  origin: null,
  action: monitor,
  outcome: { kind: "exited", code: 0, reason: null, output: "", elapsedMs: 1 },
  startedAtMs: 1,
  finishedAtMs: 2,
});
const WELCOME: Welcome = {
  kind: "welcome",
  protocol: 1,
  incarnation: incarnation("boot"),
  guarantee: "guardian",
  kernelGuarantee: "none",
  stopBoundMs: 4_500,
  planVersion: 0,
  deadlineMonotonicMs: Number.POSITIVE_INFINITY,
  running: [],
  results: [],
  tripped: false,
  trips: 0,
  stopped: [],
};

/** Things that arrive, one after the other, for a test that waits for them. */
class Arrivals<T> {
  readonly all: T[] = [];
  #taken = 0;
  #wake: (() => void) | null = null;

  push(item: T): void {
    this.all.push(item);
    this.#wake?.();
  }

  async next(): Promise<T> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const item = this.all[this.#taken];
      if (item !== undefined) {
        this.#taken += 1;
        return item;
      }
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("nothing more arrived")), Math.max(0, until - performance.now()));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async of(count: number): Promise<T[]> {
    const items: T[] = [];
    while (items.length < count) items.push(await this.next());
    return items;
  }
}

/** A scripted guardian: says the given welcome to each hello and notes what it hears. */
class ScriptedGuardian {
  readonly directory = mkdtempSync(join(tmpdir(), "ql-"));
  readonly path = join(this.directory, "s");
  readonly heard = new Arrivals<ToGuardian>();
  readonly #server: Server;
  socket: Socket | null = null;
  welcome: Welcome = WELCOME;
  answersPings = true;

  constructor() {
    this.#server = createServer((socket) => {
      this.socket = socket;
      const reader = new FrameReader();
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        for (const value of reader.push(chunk)) {
          const message = readToGuardian(value);
          if (message.kind === "hello") this.say(this.welcome);
          if (message.kind === "ping" && this.answersPings) this.say({ kind: "pong" });
          this.heard.push(message);
        }
      });
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.path, resolve));
  }

  say(message: FromGuardian): void {
    this.socket?.write(encodeFrame(message));
  }

  close(): void {
    this.socket?.destroy();
    this.#server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

describe("the link to the guardian", () => {
  let guardian: ScriptedGuardian;
  let link: GuardianLink;
  let events: Arrivals<ExecutorEvent>;
  const open = async (listening = true): Promise<void> => {
    guardian = new ScriptedGuardian();
    if (listening) await guardian.open();
    events = new Arrivals();
    link = linkGuardian({
      socketPath: guardian.path,
      node: "n1",
      daemonBoot: 7,
      memberId: 3,
      cluster: "c",
      onEvent: (event) => events.push(event),
    });
  };
  afterEach(() => {
    link.close();
    guardian.close();
  });

  it("keeps trying while there is no guardian, then says all that was asked meanwhile, plan and deadline first", async () => {
    await open(false);
    assert.equal(link.run(request("a")), true);
    assert.equal(link.run(request("a")), true, "joined: one key, one request");
    link.plan({ version: 3, steps: [] });
    const atMonotonicMs = monotonicMs() + 60_000;
    link.deadline(term(4), atMonotonicMs);
    assert.equal(link.connected, false);
    await guardian.open();
    assert.equal((await events.next()).kind, "connected");
    assert.deepEqual(await guardian.heard.of(4), [
      { kind: "hello", protocol: 1, node: "n1", daemonBoot: 7, memberId: 3, cluster: "c" },
      { kind: "plan", plan: { version: 3, steps: [] } },
      { kind: "deadline", term: 4, atMonotonicMs },
      { kind: "run", ...request("a") },
    ]);
  });

  it("after a broken socket asks again only for what the guardian neither runs nor answered", async () => {
    await open();
    await events.next();
    for (const key of ["lost", "running", "done"]) link.run(request(key));
    await guardian.heard.of(4);
    guardian.welcome = { ...WELCOME, running: [{ key: "running", action: monitor, startedMonotonicMs: 1 }], results: [resultOf("done")] };
    guardian.socket?.destroy();
    const after = await events.of(3);
    assert.deepEqual(
      after.map((event) => event.kind),
      ["disconnected", "connected", "result"],
    );
    const again = await guardian.heard.of(2);
    assert.deepEqual(
      again.map((message) => message.kind === "run" && message.key),
      [false, "lost"],
    );
  });

  it("an acknowledgement given while cut off is said first, and its result is not offered twice", async () => {
    await open();
    await events.next();
    await guardian.heard.next();
    guardian.welcome = { ...WELCOME, results: [resultOf("old"), resultOf("new")] };
    guardian.socket?.destroy();
    assert.equal((await events.next()).kind, "disconnected");
    link.ack("old");
    const after = await events.of(2);
    assert.deepEqual(
      after.map((event) => (event.kind === "result" ? event.key : event.kind)),
      ["connected", "new"],
    );
    const [, ack] = await guardian.heard.of(2);
    assert.deepEqual(ack, { kind: "result.ack", key: "old" });
  });

  it("an acknowledgement goes with the next message, or alone when none comes", async () => {
    await open();
    await events.next();
    await guardian.heard.next();
    link.ack("first");
    link.ack("second");
    link.run(request("next"));
    const heard = await guardian.heard.of(3);
    assert.deepEqual(
      heard.map((message) => (message.kind === "result.ack" || message.kind === "run" ? message.key : message.kind)),
      ["first", "second", "next"],
    );
    link.ack("alone");
    assert.deepEqual(await guardian.heard.next(), { kind: "result.ack", key: "alone" });
    for (let count = 1; count <= 64; count += 1) link.ack(`many${count}`);
    assert.equal((await guardian.heard.of(64)).length, 64);
  });

  it("an acknowledgement that waited when the link broke is said first, and its result is not offered twice", async () => {
    await open();
    await events.next();
    await guardian.heard.next();
    guardian.welcome = { ...WELCOME, results: [resultOf("old"), resultOf("new")] };
    link.ack("old");
    guardian.socket?.destroy();
    const after = await events.of(3);
    assert.deepEqual(
      after.map((event) => (event.kind === "result" ? event.key : event.kind)),
      ["disconnected", "connected", "new"],
    );
    const [, ack] = await guardian.heard.of(2);
    assert.deepEqual(ack, { kind: "result.ack", key: "old" });
  });

  it("small extensions of a far deadline stay home, larger ones and new terms travel", async () => {
    await open();
    await events.next();
    const base = monotonicMs() + 60_000;
    link.deadline(term(1), base);
    link.deadline(term(1), base + 400);
    link.deadline(term(1), base + 550);
    link.deadline(term(2), base + 560);
    link.deadline(term(1), base + 9_999);
    // A near one by a tenth of what is left.
    const near = monotonicMs() + 4_000;
    link.deadline(term(3), near);
    link.deadline(term(3), near + 100);
    link.deadline(term(3), near + 450);
    link.run(request("end"));
    const heard = await guardian.heard.of(7);
    const sent = heard.filter((message) => message.kind === "deadline").map((message) => [message.term, message.atMonotonicMs - base]);
    assert.deepEqual(sent, [
      [1, 0],
      [1, 550],
      [2, 560],
      [3, near - base],
      [3, near - base + 450],
    ]);
  });

  it("takes a guardian for hung that leaves three questions in a row unanswered, and makes the link anew", async ({ mock }) => {
    mock.timers.enable({ apis: ["setInterval"] });
    await open(false);
    const process = { pid: 4_194_305, startTicks: 7 };
    guardian.welcome = { ...WELCOME, servedBy: process };
    await guardian.open();
    assert.equal((await events.next()).kind, "connected");
    await guardian.heard.next();
    // More questions than it may leave unanswered; an answer has arrived when the word behind it has.
    for (let count = 0; count < 5; count += 1) {
      mock.timers.tick(2_000);
      assert.equal((await guardian.heard.next()).kind, "ping");
      guardian.say({ kind: "walked", trips: count });
      assert.equal((await events.next()).kind, "walked");
    }
    guardian.answersPings = false;
    mock.timers.tick(8_000);
    assert.deepEqual(await events.of(3), [
      { kind: "hung", process, silentMs: 6_000 },
      { kind: "disconnected", reason: "the guardian has not answered for 6000 ms" },
      { kind: "connected", welcome: guardian.welcome },
    ]);
  });

  it("asks nothing of a guardian that does not tell its process", async ({ mock }) => {
    mock.timers.enable({ apis: ["setInterval"] });
    await open();
    await events.next();
    await guardian.heard.next();
    mock.timers.tick(60_000);
    link.run(request("first word"));
    assert.equal((await guardian.heard.next()).kind, "run");
  });

  it("says no when too much is unanswered", async () => {
    await open(false);
    for (let count = 0; count < EXECUTOR_QUEUE_MAX; count += 1) assert.equal(link.run(request(`k${count}`)), true);
    assert.equal(link.run(request("one too many")), false);
  });

  it("garbage from the other side closes the link, and it is made anew", async () => {
    await open();
    await events.next();
    guardian.socket?.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    const after = await events.of(2);
    assert.deepEqual(
      after.map((event) => event.kind),
      ["disconnected", "connected"],
    );
  });
});

describe("frames and messages", () => {
  it("a frame may arrive byte by byte", () => {
    const reader = new FrameReader();
    const frame = encodeFrame({ kind: "deadline", term: term(3), atMonotonicMs: Number.POSITIVE_INFINITY });
    const seen: unknown[] = [];
    for (const byte of frame) seen.push(...reader.push(Buffer.from([byte])));
    assert.deepEqual(seen, [{ kind: "deadline", term: 3, atMonotonicMs: Number.POSITIVE_INFINITY }]);
  });

  const codeOf = (body: () => unknown): string => {
    try {
      body();
      return "accepted";
    } catch (error) {
      assert.ok(error instanceof QuorateError);
      return error.detail.code;
    }
  };

  it("a giant length is refused before anything is kept", () => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(1024 ** 3);
    assert.equal(
      codeOf(() => new FrameReader().push(length)),
      "GUARDIAN_FRAME_TOO_LARGE",
    );
    assert.equal(
      codeOf(() => encodeFrame({ kind: "self-fence", reason: "x".repeat(GUARDIAN_FRAME_MAX_BYTES) })),
      "GUARDIAN_FRAME_TOO_LARGE",
    );
  });

  const bad: readonly (readonly [string, unknown])[] = [
    ["no object", 7],
    ["no kind", {}],
    ["an unknown kind", { kind: "explode" }],
    ["a kind of Object's own", { kind: "constructor" }],
    ["a missing field", { kind: "cancel" }],
    ["a wrong type", { kind: "deadline", term: "1", atMonotonicMs: 1 }],
    ["not a number", { kind: "deadline", term: 1, atMonotonicMs: Number.NaN }],
    ["a parameter that is no text", { kind: "run", key: "k", origin: null, planVersion: 1, action: { ...monitor, params: { a: 1 } } }],
    ["an origin without incarnation", { kind: "run", key: "k", origin: { term: 1, index: 1 }, planVersion: 1, action: monitor }],
    ["a plan without steps", { kind: "plan", plan: { version: 1 } }],
    ["a step without action", { kind: "plan", plan: { version: 1, steps: [{ resource: "r", exclusive: true, stage: 0 }] } }],
  ];
  for (const [name, value] of bad)
    it(`refuses ${name}`, () =>
      assert.equal(
        codeOf(() => readToGuardian(value)),
        "GUARDIAN_BAD_MESSAGE",
      ));

  it("reads what the other side says", () => {
    assert.equal(readFromGuardian({ kind: "result", ...resultOf("k") }).kind, "result");
    assert.equal(
      codeOf(() => readFromGuardian({ kind: "hello", protocol: 1, node: "n", daemonBoot: 1 })),
      "GUARDIAN_BAD_MESSAGE",
    );
  });
});
