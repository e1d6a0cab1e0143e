import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ApiClient, ApiFault, exactlyOnce, fault } from "../../src/io/api/index.ts";

type Sent = { readonly method: string; readonly params: Readonly<Record<string, unknown>> };

/** A cluster in which each change counts once per place in a session, behind connections that the test breaks. */
class Counting {
  readonly sent: Sent[] = [];
  readonly applied = new Map<string, number>();
  connections = 0;
  nowMs = 0;
  nextClient = 7;
  /** What happens to the n-th sending of a change, from 0: `null` answers it. */
  fate: (sending: number) => "lost before" | "lost after" | ApiFault | null = () => null;
  #sendings = 0;

  client(repeatForMs?: number): ApiClient {
    return exactlyOnce({
      connect: async () => this.connection(),
      nowMs: () => this.nowMs,
      pause: async (ms) => {
        this.nowMs += ms;
      },
      ...(repeatForMs === undefined ? {} : { repeatForMs }),
    });
  }

  connection(): ApiClient {
    this.connections += 1;
    let closed = false;
    const lost = (): never => {
      closed = true;
      throw fault("API_DISCONNECTED", "the daemon closed the connection", { retryable: true });
    };
    return {
      request: async (method, plain) => {
        const params = plain as Record<string, unknown>;
        this.sent.push({ method, params });
        if (method === "session.open") return { client: this.nextClient++ };
        if (method === "session.close") return {};
        const fate = this.fate(this.#sendings++);
        if (fate === "lost before") return lost();
        if (fate instanceof ApiFault) throw fate;
        const { client, sequence } = params["session"] as { client: number; sequence: number };
        const place = `${client}.${sequence}`;
        if (!this.applied.has(place)) this.applied.set(place, this.applied.size + 1);
        return fate === "lost after" ? lost() : { count: this.applied.get(place) };
      },
      watch: async () => Promise.reject(fault("UNKNOWN_METHOD", "no watches here")),
      close: () => {
        closed = true;
      },
      get closed() {
        return closed;
      },
    };
  }
}

describe("changes that happen exactly once", () => {
  test("an answer that was lost is asked for again under the same number, over a new connection", async () => {
    for (const fate of ["lost before", "lost after"] as const) {
      const cluster = new Counting();
      cluster.fate = (sending) => (sending < 3 ? fate : null);
      const client = cluster.client();
      assert.deepEqual(await client.request("node.standby", { node: "n1" }), { count: 1 });
      assert.deepEqual(await client.request("node.standby", { node: "n1" }), { count: 2 }, "the next change has a number of its own");
      assert.equal(cluster.applied.size, 2);
      assert.equal(cluster.connections, 4);
      const places = cluster.sent.filter((one) => one.method === "node.standby").map((one) => one.params["session"]);
      const again = { client: 7, sequence: 1, repeated: true };
      assert.deepEqual(places, [{ client: 7, sequence: 1 }, again, again, again, { client: 7, sequence: 2 }]);
    }
  });

  test("it gives up in bounded time and says that the outcome is unknown", async () => {
    const cluster = new Counting();
    cluster.fate = () => "lost after";
    await assert.rejects(cluster.client(1_000).request("resource.cleanup"), (error: unknown) => {
      assert.ok(error instanceof ApiFault);
      assert.equal(error.detail.code, "TIMEOUT");
      assert.match(error.message, /unknown/);
      return true;
    });
    assert.equal(cluster.applied.size, 1);
    assert.ok(cluster.nowMs >= 1_000 && cluster.nowMs < 1_500, `${cluster.nowMs} ms`);
  });

  test("a refusal of the first sending is the answer, and is not argued with", async () => {
    const cluster = new Counting();
    cluster.fate = () => fault("NO_LEADER", "there is no leader now", { retryable: true });
    await assert.rejects(cluster.client().request("node.standby"), /no leader/);
    assert.equal(cluster.sent.length, 2);
  });

  test("while an answer is owed, no leader and no daemon only mean: not yet", async () => {
    const cluster = new Counting();
    const fates = [
      "lost after",
      fault("NO_LEADER", "none"),
      fault("API_UNREACHABLE", "none"),
      fault("CHANGE_IN_PROGRESS", "one"),
      null,
    ] as const;
    cluster.fate = (sending) => fates[sending] ?? null;
    assert.deepEqual(await cluster.client().request("cluster.votes", { node: "n1", votes: 2 }), { count: 1 });
    assert.equal(cluster.applied.size, 1);
  });

  test("a session that expired before the change was sent is opened anew; after a lost answer the outcome is unknown", async () => {
    const expired = fault("SESSION_EXPIRED", "the session is gone");
    const cluster = new Counting();
    cluster.fate = (sending) => (sending === 0 ? expired : null);
    assert.deepEqual(await cluster.client().request("node.standby"), { count: 1 });
    assert.deepEqual([...cluster.applied.keys()], ["8.1"]);
    const other = new Counting();
    other.fate = (sending) => (sending === 0 ? "lost after" : expired);
    await assert.rejects(
      other.client().request("node.standby"),
      (error: unknown) => error instanceof ApiFault && error.detail.code === "TIMEOUT",
    );
    assert.equal(other.applied.size, 1, "it was not run a second time");
  });

  test("a connection that was opened beforehand is used first, and is closed even when nothing was asked", async () => {
    const cluster = new Counting();
    const first = cluster.connection();
    const unused = exactlyOnce({ connect: async () => cluster.connection(), first, nowMs: () => 0, pause: async () => {} });
    unused.close();
    await new Promise(setImmediate);
    assert.ok(first.closed);
    const second = cluster.connection();
    const used = exactlyOnce({ connect: async () => cluster.connection(), first: second, nowMs: () => 0, pause: async () => {} });
    await used.request("node.standby");
    assert.equal(cluster.connections, 2, "no other was opened");
  });

  test("reads carry no session", async () => {
    const cluster = new Counting();
    cluster.fate = () => fault("API_BUSY", "busy");
    await assert.rejects(cluster.client().request("status"), /busy/);
    assert.deepEqual(cluster.sent, [{ method: "status", params: {} }]);
  });
});
