import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ConfigurationEdit, canonicalText, element } from "../../src/core/cib/index.ts";
import { commitEdits, connectApi, exactlyOnce, REQUEST_BYTES_MAX } from "../../src/io/api/index.ts";
import { ApiProxy } from "./api-proxy.ts";
import { checkoutRoot, LiveCluster, type LiveNode, pause } from "./live-cluster.ts";

/** Objects that mean nothing to the policy engine, 6 MiB of them: more than one request and three entries hold. */
const big = Array.from({ length: 150 }, (_, at) => {
  const id = `big-${at}`;
  return element("cluster_property_set", { id }, [element("nvpair", { id: `${id}-v`, name: id, value: "v".repeat(42_000) })]);
});
const puts: readonly ConfigurationEdit[] = big.map((after) => edit(after.attributes["id"] ?? "", null, after));
const deletes: readonly ConfigurationEdit[] = big.map((object) => edit(object.attributes["id"] ?? "", canonicalText(object), null));

function edit(id: string, before: string | null, after: ConfigurationEdit["after"]): ConfigurationEdit {
  return { section: "crm_config", id, before, after };
}

type Ended = { readonly code: number | null; readonly output: string };

function quorate(socket: string, ...args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const program = join(checkoutRoot(), "dist", "src", "app", "cli", "main.js");
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, QUORATE_SOCKET: socket } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part: Buffer) => (output += part.toString()));
  return { child, ended: new Promise((resolve) => child.once("exit", (code) => resolve({ code, output }))) };
}

describe("a daemon is killed between commit and answer", { concurrency: false, timeout: 150_000 }, () => {
  let cluster: LiveCluster;
  let leader: LiveNode;
  let other: LiveNode;
  let proxy: ApiProxy;

  before(async () => {
    cluster = await LiveCluster.formed(3);
    const [first] = cluster.nodes;
    assert.ok(first);
    leader = cluster.node((await cluster.status(first)).leader?.node ?? "");
    const another = cluster.nodes.find((node) => node !== leader);
    assert.ok(another);
    other = another;
    proxy = await ApiProxy.start(join(cluster.base, "proxy.sock"), leader.socketPath);
  });
  after(async () => {
    await proxy?.stop();
    await cluster?.destroy();
  });

  const epoch = async (): Promise<number> => (await cluster.status(other)).epoch;
  const held = async (node: LiveNode): Promise<number> => {
    const answer = (await cluster.request(node, "cib.get", { section: "configuration" })) as { cib: Parameters<typeof canonicalText>[0] };
    const sets = answer.cib.children.flatMap((section) => section.children);
    return sets.filter((object) => (object.attributes["id"] ?? "").startsWith("big-")).length;
  };
  /** kill -9 of the proxied daemon when it answers `method` for the n-th time; it comes back at once. */
  const killAt = (method: string, count: number): Promise<void> =>
    new Promise((resolve) => {
      proxy.seen.clear();
      proxy.onAnswer = (asked, seen) => {
        if (asked !== method || seen !== count) return true;
        proxy.onAnswer = () => true;
        void cluster.signal(leader, "daemon", "SIGKILL").then(() => {
          cluster.startDaemon(leader);
          resolve();
        });
        return false;
      };
    });

  test("the command line has its answer all the same, and the change has happened once", async () => {
    const before = await epoch();
    const killed = killAt("node.standby", 1);
    const { code, output } = await quorate(proxy.path, "node", "standby", "n2").ended;
    await killed;
    assert.equal(code, 0, output);
    // A daemon that is back and knows no leader yet is asked once more.
    assert.ok((proxy.seen.get("node.standby") ?? 0) >= 2, "it was sent again");
    assert.equal(await epoch(), before + 1);
    assert.equal((await quorate(proxy.path, "node", "online", "n2").ended).code, 0);
    assert.equal(await epoch(), before + 2);
  });

  test("in the middle of a staged upload: it goes on, and takes effect whole and once", async () => {
    const before = await epoch();
    assert.ok(JSON.stringify(puts).length > REQUEST_BYTES_MAX);
    const client = exactlyOnce({ connect: () => connectApi({ kind: "unix", path: proxy.path }), nowMs: () => performance.now(), pause });
    const killed = killAt("config.upload", 5);
    const work = commitEdits(client, puts, { force: false });
    await killed;
    assert.equal(await held(other), 0, "nothing of it is in force");
    await work;
    client.close();
    const uploads = proxy.seen.get("config.upload") ?? 0;
    assert.ok(uploads > 20 && uploads < 35, `${uploads} parts were sent`);
    for (const node of cluster.nodes) assert.equal(await held(node), big.length, node.name);
    assert.equal(await epoch(), before + 1);
  });

  test("a restore that is killed changes nothing, and the next one goes on where it stopped", async () => {
    const file = join(cluster.base, "backup.json");
    assert.equal((await quorate(proxy.path, "cluster", "backup", file).ended).code, 0);
    const client = await connectApi({ kind: "unix", path: other.socketPath });
    await commitEdits(client, deletes, { force: false });
    assert.equal(await held(other), 0);
    const before = await epoch();
    proxy.seen.clear();
    const first = quorate(proxy.path, "-F", "cluster", "restore", file);
    proxy.onAnswer = (method, count) => {
      if (method === "config.upload" && count === 10) first.child.kill("SIGKILL");
      return true;
    };
    await first.ended;
    proxy.onAnswer = () => true;
    assert.equal(await epoch(), before);
    assert.equal(await held(other), 0);
    const begun = proxy.seen.get("config.upload") ?? 0;
    proxy.seen.clear();
    const { code, output } = await quorate(proxy.path, "-F", "cluster", "restore", file).ended;
    assert.equal(code, 0, output);
    assert.ok(begun >= 10 && (proxy.seen.get("config.upload") ?? 0) <= 30 - begun, "parts that were there are not sent again");
    assert.equal(await epoch(), before + 1);
    for (const node of cluster.nodes) assert.equal(await held(node), big.length, node.name);
    client.close();
  });
});
