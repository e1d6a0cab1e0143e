import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ApiFault } from "../../src/io/api/index.ts";
import { createRequest, formatToken, parseToken, tokenHash } from "../../src/io/pki/index.ts";
import { requestMember } from "../../src/io/transport/index.ts";
import { checkoutRoot, LiveCluster, type LiveNode, pause } from "./live-cluster.ts";
import { commit, dummy, ledgerOf, put } from "./live-support.ts";

describe("join tokens that are not good, at a running cluster", { concurrency: false, timeout: 120_000 }, () => {
  let cluster: LiveCluster;
  let first: LiveNode;
  /** Daemons that belong to no cluster yet; nobody ever dials them. */
  const strangers: LiveNode[] = [];
  before(async () => {
    cluster = await LiveCluster.formed(3);
    first = cluster.nodes[0]!;
    await commit(cluster, first, [put("resources", dummy(cluster, "d1"))]);
  });
  after(async () => {
    for (const stranger of strangers) cluster.signalAll(stranger, "SIGKILL");
    await cluster?.destroy();
  });

  function stranger(name: string): LiveNode {
    const directory = join(cluster.base, name);
    const node = { name, directory, port: cluster.servicePort, socketPath: join(directory, "run", "api.sock") };
    strangers.push(node);
    cluster.start(node);
    return node;
  }

  async function token(ttlSeconds?: number): Promise<{ readonly text: string; readonly expiresMs: number }> {
    const made = await cluster.request(first, "cluster.token", ttlSeconds === undefined ? {} : { ttlSeconds });
    return { text: String(made["token"]), expiresMs: Number(made["expiresMs"]) };
  }

  const joins = (node: LiveNode, text: string): Promise<unknown> =>
    cluster.request(node, "cluster.join", { address: `127.0.0.1:${first.port}`, token: text });

  /** Joins by the command, which gets its token on standard input; by then nothing of its arguments is to be seen. */
  async function joinsUnseen(node: LiveNode, text: string): Promise<void> {
    const program = join(checkoutRoot(), "dist", "src", "app", "cli", "main.js");
    const words = [program, "--socket", node.socketPath, "cluster", "join", `127.0.0.1:${first.port}`, "--token", "-"];
    const child = spawn(process.execPath, words, { stdio: ["pipe", "ignore", "inherit"] });
    const shown = (): string => readFileSync(`/proc/${child.pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    await cluster.until("the arguments are hidden", 20_000, async () => shown() === "quorate");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin.end(`${text}\n`);
    assert.equal(await ended, 0);
  }

  /** Refused at the door with this code, said in the member's log; nothing of the cluster has moved. */
  async function isRefused(node: LiveNode, text: string, code: string): Promise<void> {
    const before = await cluster.status(first);
    const logged = () => readFileSync(join(first.directory, "quorated.log"), "utf8").split("\n");
    const linesBefore = logged().length;
    await assert.rejects(joins(node, text), (error) => {
      assert.ok(error instanceof ApiFault && error.detail.code === code, String(error));
      assert.match(error.message, /; `quorate cluster token` on a member prints a new one$/);
      return true;
    });
    const said = logged()
      .slice(linesBefore - 1)
      .filter((line) => line.includes("a join was refused"));
    assert.equal(said.length, 1, `one line about it:\n${said.join("\n")}`);
    const line = JSON.parse(said[0]!) as Record<string, unknown>;
    assert.deepEqual([line["level"], line["code"], line["address"]], [40, code, "127.0.0.1"]);
    assert.match(String(line["reason"]), /token/);
    const now = await cluster.status(first);
    assert.deepEqual(
      now.nodes.map(({ name, state, incarnation }) => [name, state, incarnation]),
      before.nodes.map(({ name, state, incarnation }) => [name, state, incarnation]),
    );
    assert.equal(now.leader?.node, before.leader?.node);
    assert.equal(now.epoch, before.epoch);
    assert.deepEqual(
      ledgerOf(cluster, "d1").map(({ action }) => action),
      ["start"],
    );
  }

  test("a token that the cluster never made", async () => {
    const parsed = parseToken((await token()).text);
    assert.ok(parsed.kind === "token");
    const wrong = formatToken({ ...parsed.token, secret: "ab".repeat(32) });
    await isRefused(stranger("n4"), wrong, "TOKEN_UNKNOWN");
  });

  test("a token that has been used; who lists processes does not see how it was used", async () => {
    const { text } = await token();
    await joinsUnseen(strangers[0]!, text);
    await cluster.until("n4 is online", 30_000, async () =>
      (await cluster.status(first)).nodes.some((node) => node.name === "n4" && node.state === "online"),
    );
    await cluster.request(first, "wait.idle", { timeoutMs: 30_000 });
    await isRefused(stranger("n5"), text, "TOKEN_USED");
  });

  test("a token whose life is over", async () => {
    const { text, expiresMs } = await token(1);
    while (Date.now() <= expiresMs) await pause(expiresMs - Date.now() + 1);
    await isRefused(strangers[1]!, text, "TOKEN_EXPIRED");
  });

  test("a clock that a certificate would not be valid by: refused before the token is used up", async () => {
    const { text } = await token();
    const parsed = parseToken(text);
    assert.ok(parsed.kind === "token");
    const { requestPem } = await createRequest("n9");
    const ask = (aheadMs: number): Promise<{ readonly body: unknown }> =>
      requestMember({
        address: `127.0.0.1:${first.port}`,
        trust: { kind: "pin", ...parsed.token },
        path: "/join",
        body: {
          tokenHash: tokenHash(parsed.token),
          secret: parsed.token.secret,
          node: "n9",
          memberId: 99,
          addresses: ["127.0.0.1:1"],
          requestPem,
          clockMs: Date.now() + aheadMs,
        },
      });
    for (const [aheadMs, way] of [
      [-2 * 3_600_000, "120 minutes behind"],
      [2 * 3_600_000, "120 minutes ahead of"],
    ] as const) {
      const refusal = (await ask(aheadMs)).body as { readonly code: string; readonly message: string };
      assert.equal(refusal.code, "JOIN_REFUSED");
      assert.match(refusal.message, new RegExp(`^the clock of n9 is ${way} this member's: .* join with the same token$`));
    }
    // The token still opens the door. Its holder has no links here, so it is on its way and never votes.
    assert.match(JSON.stringify((await ask(0)).body), /"certificatePem":/);
  });
});
