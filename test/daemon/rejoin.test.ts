import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { LiveCluster, type LiveNode, pause } from "./live-cluster.ts";
import { quorate } from "./live-support.ts";

type Row = {
  readonly memberId: number;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly votes: number;
  readonly contactAgeMs: number | null;
};

const SETTINGS = { selfFenceMs: 6_000 };

describe("members that come back", { concurrency: false, timeout: 200_000 }, () => {
  let cluster: LiveCluster;
  let n1: LiveNode;
  let n3: LiveNode;

  before(async () => {
    cluster = await LiveCluster.formed(3, SETTINGS);
    n1 = cluster.node("n1");
    n3 = cluster.node("n3");
  });
  after(() => cluster?.destroy());

  const rows = async (): Promise<readonly Row[]> => ((await cluster.request(n1, "cluster.status")) as { members: readonly Row[] }).members;
  const row = async (name: string): Promise<Row | undefined> => (await rows()).find((one) => one.node === name);
  const joined = async (): Promise<string> => {
    const token = await quorate(n1, "cluster", "token");
    const made = await quorate(n3, "cluster", "join", `127.0.0.1:${n1.port}`, "--token", token.text.trim());
    assert.equal(made.code, 0, `${made.text}\n${cluster.logTail(n3, 8)}`);
    return made.text;
  };
  /** Three members, each with one vote, all online, and `n3` under another id than before. */
  const whole = async (oldId: number): Promise<void> => {
    const now = await rows();
    assert.deepEqual(
      now.map((one) => [one.node, one.votes]).sort(),
      ["n1", "n2", "n3"].map((name) => [name, 1]),
    );
    assert.notEqual(now.find((one) => one.node === "n3")?.memberId, oldId);
    await cluster.until("all online", 20_000, async () => (await cluster.status(n1)).nodes.every((node) => node.state === "online"));
  };

  test("one whose store is wiped: it says so, and one command brings it back as a new member", async () => {
    const oldId = (await row("n3"))?.memberId ?? 0;
    await cluster.signal(n3, "daemon", "SIGKILL");
    rmSync(join(n3.directory, "store"), { recursive: true });
    cluster.startDaemon(n3);
    const shown = await cluster.request(n3, "status");
    assert.match(JSON.stringify(shown), /memory is lost/);
    await joined();
    await whole(oldId);
  });

  test("one of which nothing is left, guardian and all", async () => {
    const oldId = (await row("n3"))?.memberId ?? 0;
    cluster.signalAll(n3, "SIGKILL");
    await cluster.until("all its programs have ended", 5_000, async () => cluster.processes(n3).length === 0);
    await cluster.signal(n3, "daemon", "SIGKILL");
    rmSync(n3.directory, { recursive: true });
    mkdirSync(n3.directory);
    writeFileSync(join(n3.directory, "quorated.json"), JSON.stringify({ fileSystem: "strict", ...SETTINGS }));
    cluster.start(n3);
    await cluster.until("n3 answers", 10_000, async () => (await cluster.status(n3)).nodes.length === 0);
    await joined();
    await whole(oldId);
  });

  test("one that was removed and still runs: it complains in few words, and may join again", async () => {
    const oldId = (await row("n3"))?.memberId ?? 0;
    assert.equal((await quorate(n1, "cluster", "remove", "n3")).code, 0);
    assert.equal((await rows()).length, 2);
    await cluster.until("it knows", 10_000, async () => /has removed this member/.test(JSON.stringify(await cluster.status(n3))));
    // It goes on knocking, less and less often; both sides say so once.
    await pause(4_000);
    const lines = (node: LiveNode, words: RegExp): number =>
      readFileSync(join(node.directory, "quorated.log"), "utf8")
        .split("\n")
        .filter((line) => words.test(line)).length;
    assert.ok(lines(n3, /a member refuses our links/) <= 2, "once for each of the others");
    assert.ok(lines(n1, /connection refused: member \d+ is not in the configuration/) <= 3);
    await joined();
    await whole(oldId);
  });

  test("one that moves to another address", async () => {
    const { memberId } = (await row("n3")) ?? { memberId: 0 };
    const moved = `127.0.0.3:${n3.port}`;
    // Nobody is there yet: a member that is being moved needs the word.
    assert.notEqual((await quorate(n1, "cluster", "address", "n3", moved)).code, 0);
    assert.equal((await quorate(n1, "cluster", "address", "n3", moved, "--force")).code, 0);
    await cluster.signal(n3, "daemon", "SIGKILL");
    cluster.startDaemon(n3, "127.0.0.3");
    await cluster.until("n3 is heard again", 20_000, async () => {
      const now = await row("n3");
      return now?.memberId === memberId && now.addresses.join() === moved && (now.contactAgeMs ?? 9_999) < 500;
    });
    // Somebody who knows nothing but the configuration finds it there.
    await cluster.signal(n1, "daemon", "SIGKILL");
    cluster.startDaemon(n1);
    await cluster.until("all online", 20_000, async () => (await cluster.status(n1)).nodes.every((node) => node.state === "online"));
  });
});
