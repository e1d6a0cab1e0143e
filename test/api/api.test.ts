import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import {
  type ApiCall,
  ApiFault,
  type ApiHandler,
  type ApiServer,
  clientOver,
  connectApi,
  createApiServer,
  DEPTH_MAX,
  fault,
  REQUEST_BYTES_MAX,
  REQUESTS_OUTSTANDING_MAX,
  WATCH_BACKLOG_BYTES_MAX,
  WATCHES_MAX,
  type WatchSink,
  webSocketChannel,
} from "../../src/io/api/index.ts";

/** A handler that echoes, holds requests until told, and hands its sinks to the test. */
class TestHandler implements ApiHandler {
  readonly held: { readonly call: ApiCall; readonly release: (result: unknown) => void }[] = [];
  readonly sinks: WatchSink[] = [];
  stopped = 0;
  onHeld: () => void = () => {};
  onStopped: () => void = () => {};
  isWatch(method: string): boolean {
    return method.startsWith("watch");
  }
  async request(call: ApiCall): Promise<unknown> {
    if (call.method === "echo") return { params: call.params, caller: call.caller };
    if (call.method === "hold") {
      return new Promise((resolve) => {
        this.held.push({ call, release: resolve });
        this.onHeld();
      });
    }
    if (call.method === "conflict") throw fault("CIB_CONFLICT", "changed underneath", { facts: { id: "web" } });
    if (call.method === "defect") throw new Error("a defect");
    throw fault("API_UNKNOWN_METHOD", `no such method: ${call.method}`);
  }
  async watch(call: ApiCall, sink: WatchSink): Promise<{ result: unknown; stop: () => void }> {
    if (call.method === "watch.refused") throw fault("API_DENIED", "no");
    this.sinks.push(sink);
    sink.push({ kind: "first" }, 7);
    return {
      result: { from: 7 },
      stop: () => {
        this.stopped += 1;
        this.onStopped();
      },
    };
  }
}

describe("io/api over the Unix socket", () => {
  let directory: string;
  let server: ApiServer;
  let handler: TestHandler;
  let path: string;
  const warnings: Readonly<Record<string, unknown>>[] = [];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "quorate-api-"));
    path = join(directory, "api.sock");
    handler = new TestHandler();
    server = await createApiServer({ socketPath: path, handler, log: { warn: (facts) => warnings.push(facts) } });
  });
  after(async () => {
    await server.close();
    await rm(directory, { recursive: true });
  });

  test("the socket is for owner and group", async () => {
    assert.equal((await stat(path)).mode & 0o777, 0o660);
  });

  test("a request is answered; the caller is local", async () => {
    const client = await connectApi({ kind: "unix", path });
    assert.deepEqual(await client.request("echo", { text: "größe\n" }), { params: { text: "größe\n" }, caller: { kind: "local" } });
    client.close();
  });

  test("a fault crosses with code, facts and retryable; a defect shows no stack", async () => {
    const client = await connectApi({ kind: "unix", path });
    await assert.rejects(client.request("conflict"), (error: unknown) => {
      assert.ok(error instanceof ApiFault);
      assert.deepEqual(error.detail, { code: "CIB_CONFLICT", facts: { id: "web" }, retryable: false });
      return true;
    });
    await assert.rejects(client.request("defect"), (error: unknown) => {
      assert.ok(error instanceof ApiFault);
      assert.equal(error.detail.code, "API_INTERNAL");
      assert.equal(error.message, "a defect");
      return true;
    });
    await assert.rejects(client.request("nothing"), { message: /no such method/ });
    client.close();
  });

  test("a request without an answer in time fails, and the next one is served", async () => {
    const client = await connectApi({ kind: "unix", path });
    await assert.rejects(
      client.request("hold", {}, { timeoutMs: 20 }),
      (error: unknown) => error instanceof ApiFault && error.detail.code === "API_TIMEOUT",
    );
    assert.ok(await client.request("echo"));
    client.close();
  });

  const refusals: readonly { name: string; text: string; code: string; id: number }[] = [
    { name: "not JSON", text: "hello", code: "API_BAD_REQUEST", id: 0 },
    { name: "not an object", text: "[1,2]", code: "API_BAD_REQUEST", id: 0 },
    { name: "no method", text: '{"v":1,"id":4}', code: "API_BAD_REQUEST", id: 4 },
    { name: "a method with a path", text: '{"v":1,"id":5,"method":"../x"}', code: "API_BAD_REQUEST", id: 5 },
    { name: "id zero", text: '{"v":1,"id":0,"method":"echo"}', code: "API_BAD_REQUEST", id: 0 },
    { name: "another version", text: '{"v":2,"id":6,"method":"echo"}', code: "API_VERSION_UNKNOWN", id: 6 },
    {
      name: "a million brackets",
      text: `{"v":1,"id":8,"method":"echo","params":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`,
      code: "API_BAD_REQUEST",
      id: 8,
    },
    {
      name: "one level too deep",
      text: `{"v":1,"id":9,"method":"echo","params":${"[".repeat(DEPTH_MAX)}${"]".repeat(DEPTH_MAX)}}`,
      code: "API_BAD_REQUEST",
      id: 9,
    },
  ];
  for (const { name, text, code, id } of refusals) {
    test(`refused: ${name}`, async () => {
      const raw = await RawClient.open(path);
      raw.write(`${text}\n`);
      const answer = await raw.next();
      assert.equal(answer["ok"], false);
      assert.equal((answer["error"] as { code: string }).code, code);
      assert.equal(answer["id"], id);
      raw.write('{"v":1,"id":77,"method":"echo"}\n');
      assert.equal((await raw.next())["id"], 77, "the connection still serves");
      raw.destroy();
    });
  }

  test("a frame over the limit ends the connection after one answer, and only that connection", async () => {
    const other = await connectApi({ kind: "unix", path });
    const raw = await RawClient.open(path);
    raw.write(`{"v":1,"id":1,"method":"echo","params":"`);
    const block = "x".repeat(1024 * 1024);
    for (let written = 0; written <= REQUEST_BYTES_MAX; written += block.length) raw.write(block);
    const answer = await raw.next();
    assert.equal((answer["error"] as { code: string }).code, "API_FRAME_TOO_LARGE");
    await raw.closed;
    assert.ok(await other.request("echo"));
    other.close();
  });

  test("bytes that are no UTF-8 end the connection", async () => {
    const raw = await RawClient.open(path);
    raw.write(Buffer.from([0x22, 0xff, 0xfe, 0x22, 0x0a]));
    assert.equal(((await raw.next())["error"] as { code: string }).code, "API_NOT_UTF8");
    await raw.closed;
  });

  test("frames may be cut anywhere, and many may come at once", async () => {
    const raw = await RawClient.open(path);
    const text = Buffer.from('{"v":1,"id":1,"method":"echo","params":"ü"}\n{"v":1,"id":2,"method":"echo"}\n\n');
    for (const byte of text) raw.write(Buffer.from([byte]));
    assert.deepEqual([(await raw.next())["id"], (await raw.next())["id"]], [1, 2]);
    raw.destroy();
  });

  test("the 257th waiting request is refused and may be repeated; the others are answered", async () => {
    const client = await connectApi({ kind: "unix", path });
    handler.held.length = 0;
    const held = Array.from({ length: REQUESTS_OUTSTANDING_MAX }, () => client.request("hold"));
    await assert.rejects(client.request("echo"), (error: unknown) => {
      assert.ok(error instanceof ApiFault);
      assert.equal(error.detail.code, "API_BUSY");
      assert.equal(error.detail.retryable, true);
      return true;
    });
    assert.equal(handler.held.length, REQUESTS_OUTSTANDING_MAX);
    for (const { release } of handler.held) release(1);
    await Promise.all(held);
    assert.ok(await client.request("echo"));
    client.close();
  });

  test("a request learns that its caller has gone", async () => {
    const client = await connectApi({ kind: "unix", path });
    handler.held.length = 0;
    const waiting = client.request("hold");
    await new Promise<void>((resolve) => {
      handler.onHeld = resolve;
    });
    const aborted = new Promise<void>((resolve) => handler.held[0]?.call.signal.addEventListener("abort", () => resolve()));
    client.close();
    await aborted;
    await assert.rejects(waiting, (error: unknown) => error instanceof ApiFault && error.detail.code === "API_DISCONNECTED");
  });

  test("a watch: the answer first, then events in order, then unwatch stops it", async () => {
    const client = await connectApi({ kind: "unix", path });
    handler.sinks.length = 0;
    const stopped = handler.stopped;
    const watch = await client.watch("watch");
    assert.deepEqual(watch.result, { from: 7 });
    handler.sinks[0]?.push({ kind: "second" }, 8);
    const seen: string[] = [];
    for await (const { event, index } of watch) {
      seen.push(`${event.kind}@${index}`);
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, ["first@7", "second@8"]);
    if (handler.stopped === stopped) {
      await new Promise<void>((resolve) => {
        handler.onStopped = resolve;
      });
    }
    assert.equal(handler.sinks[0]?.closed, true);
    client.close();
  });

  test("a refused watch leaves none behind; the 65th is refused", async () => {
    const client = await connectApi({ kind: "unix", path });
    await assert.rejects(client.watch("watch.refused"), { message: "no" });
    for (let i = 0; i < WATCHES_MAX; i += 1) await client.watch("watch");
    await assert.rejects(
      client.watch("watch"),
      (error: unknown) => error instanceof ApiFault && error.detail.code === "API_TOO_MANY_WATCHES",
    );
    client.close();
  });

  test("a watcher that does not read gets a reset instead of what it missed", async () => {
    handler.sinks.length = 0;
    const raw = await RawClient.open(path);
    raw.write('{"v":1,"id":1,"method":"watch"}\n');
    assert.equal((await raw.next())["ok"], true);
    raw.pause();
    const sink = handler.sinks[0];
    assert.ok(sink !== undefined);
    const text = "x".repeat(64 * 1024);
    const events = Math.ceil((4 * WATCH_BACKLOG_BYTES_MAX) / text.length);
    for (let index = 100; index < 100 + events; index += 1) sink.push({ kind: "filler", text } as { kind: string }, index);
    raw.resume();
    let fillers = 0;
    for (;;) {
      const frame = await raw.next();
      const event = frame["event"] as { kind: string };
      if (event.kind === "reset") {
        assert.equal(frame["index"], 99 + events, "the reset names the newest index");
        break;
      }
      if (event.kind === "filler") fillers += 1;
    }
    assert.ok(fillers < events, `${fillers} of ${events} arrived`);
    sink.push({ kind: "after" }, 5000);
    assert.equal(((await raw.next())["event"] as { kind: string }).kind, "after");
    raw.destroy();
  });

  test("the server may end a watch with a reason", async () => {
    const client = await connectApi({ kind: "unix", path });
    handler.sinks.length = 0;
    const watch = await client.watch("watch");
    handler.sinks[0]?.end(fault("API_COMPACTED", "too far behind"));
    await assert.rejects(
      (async () => {
        for await (const _ of watch);
      })(),
      { message: "too far behind" },
    );
    client.close();
  });

  test("a second server on a live socket is refused; a stale socket file is replaced", async () => {
    const options = { socketPath: path, handler, log: { warn: () => {} } };
    await assert.rejects(
      createApiServer(options),
      (error: unknown) => error instanceof ApiFault && error.detail.code === "API_SOCKET_IN_USE",
    );
    assert.ok(await (await connectApi({ kind: "unix", path })).request("echo"));
  });

  test("nobody listens: a clear, retryable error", async () => {
    await assert.rejects(connectApi({ kind: "unix", path: join(directory, "none.sock") }), (error: unknown) => {
      assert.ok(error instanceof ApiFault);
      assert.equal(error.detail.code, "API_UNREACHABLE");
      assert.match(error.message, /no daemon listens there/);
      return true;
    });
  });

  test("the same API over ws text frames; a binary frame is refused", async () => {
    const web = new WebSocketServer({ port: 0, host: "127.0.0.1", maxPayload: REQUEST_BYTES_MAX });
    web.on("connection", (socket) => server.acceptWebSocket(socket, { kind: "remote", name: "n2", address: "127.0.0.1" }));
    await new Promise((resolve) => web.once("listening", resolve));
    const { port } = web.address() as { port: number };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api`);
    await new Promise((resolve) => socket.once("open", resolve));
    const client = clientOver(webSocketChannel(socket));
    assert.deepEqual(await client.request("echo", 1), { params: 1, caller: { kind: "remote", name: "n2", address: "127.0.0.1" } });
    const watch = await client.watch("watch");
    for await (const { event } of watch) {
      assert.equal(event.kind, "first");
      break;
    }
    const ended = new Promise((resolve) => socket.once("close", resolve));
    socket.send(Buffer.from([1, 2, 3]));
    await ended;
    web.close();
  });
});

/** A socket without any of the client's manners. */
class RawClient {
  readonly #socket: Socket;
  readonly closed: Promise<void>;
  #text = "";
  #frames: Record<string, unknown>[] = [];
  #wake: (() => void) | null = null;
  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString("utf8");
      for (let end = this.#text.indexOf("\n"); end >= 0; end = this.#text.indexOf("\n")) {
        this.#frames.push(JSON.parse(this.#text.slice(0, end)) as Record<string, unknown>);
        this.#text = this.#text.slice(end + 1);
      }
      this.#wake?.();
    });
  }
  static open(path: string): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path, () => resolve(new RawClient(socket)));
      socket.once("error", reject);
    });
  }
  write(data: string | Buffer): void {
    this.#socket.write(data);
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
  destroy(): void {
    this.#socket.destroy();
  }
  async next(): Promise<Record<string, unknown>> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
