import assert from "node:assert/strict";
import { request as httpsRequest } from "node:https";
import { connect, createServer } from "node:net";
import { after, test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { WebSocket } from "ws";
import { memberId } from "../../src/core/base/index.ts";
import { silentLog } from "../../src/core/ports/index.ts";
import { certificateHash, makeToken } from "../../src/io/pki/index.ts";
import { readJsonBody, requestMember, type TlsIdentity } from "../../src/io/transport/index.ts";
import { Refusals } from "../../src/io/transport/refusals.ts";
import { sealFrame } from "../../src/io/wire/index.ts";
import { CLUSTER, isUp, newAuthority, OTHER_CLUSTER, startNode, type TestNode, tlsOf } from "./harness.ts";

const authority = await newAuthority();
const foreign = await newAuthority();
const other = await newAuthority(OTHER_CLUSTER);
const one = await startNode({
  member: 1,
  tls: await tlsOf(authority, 1),
  admit: (member) =>
    member === 66
      ? { kind: "refused", code: "LINK_REMOVED", reason: "member 66 was removed from the cluster" }
      : member === 67
        ? { kind: "refused", code: "LINK_NOT_A_MEMBER", reason: "member 67 is not in the configuration" }
        : { kind: "admitted" },
  mounts: [
    {
      path: "/join",
      certificate: "optional",
      onRequest: async (request, response, peer) => {
        const body = await readJsonBody(request, 1024);
        response.end(JSON.stringify({ body, peer }));
      },
    },
    { path: "/api", certificate: "required", onRequest: (_request, response, peer) => response.end(JSON.stringify({ peer })) },
  ],
});
const two = await startNode({ member: 2, tls: await tlsOf(authority, 2) });
one.transport.setPeers([{ member: memberId(2), addresses: [two.address] }]);
two.transport.setPeers([{ member: memberId(1), addresses: [one.address] }]);
await one.links.until("a healthy pair", isUp);

after(async () => {
  await one.transport.close();
  await two.transport.close();
});

const lineOf = (node: TestNode, code: string, words: RegExp) =>
  node.lines.until(`a line about ${code}`, (lines) =>
    lines.some((line) => line.level === "warn" && line["code"] === code && words.test(line.message)),
  );

/** After each refusal: the healthy link of the cluster stands, and was never replaced. */
const unharmed = (): void => {
  assert.deepEqual(
    one.links.items.filter((event) => "member" in event && event.member === 2).map((event) => event.kind),
    ["up"],
  );
};

function rawLink(tls: TlsIdentity | null, options: { path?: string } = {}): WebSocket {
  const identity = tls === null ? {} : { cert: tls.certificatePem, key: tls.privateKeyPem };
  return new WebSocket(`wss://${one.address}${options.path ?? "/raft"}`, { ...identity, rejectUnauthorized: false });
}

const closed = (socket: WebSocket): Promise<{ code: number; reason: string }> =>
  new Promise((resolve) => {
    socket.on("error", () => {});
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });

const responded = (socket: WebSocket): Promise<{ status: number; refusal: string }> =>
  new Promise((resolve) => {
    socket.on("error", () => {});
    socket.on("unexpected-response", (request, response) => {
      resolve({ status: response.statusCode ?? 0, refusal: String(response.headers["x-quorate-refusal"]) });
      request.destroy();
    });
  });

const hello = (fields: Record<string, unknown>) =>
  sealFrame({ kind: "hello", cluster: CLUSTER, from: 3, to: 1, boot: 1, ring: 0, ...fields });

test("no certificate: only what is mounted for it", async () => {
  const answer = await responded(rawLink(null));
  assert.equal(answer.status, 403);
  assert.match(answer.refusal, /^LINK_NO_CERTIFICATE/);
  await lineOf(one, "LINK_NO_CERTIFICATE", /no certificate was shown/);
  const status = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const [host, port] = one.address.split(":");
      httpsRequest({ host, port, path, rejectUnauthorized: false, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on("error", reject)
        .end();
    });
  assert.equal(await status("/api"), 403);
  assert.equal(await status("/elsewhere"), 403);
  assert.equal(await status("/join"), 200);
  unharmed();
});

test("a foreign certificate that claims a name of this cluster", async () => {
  const answer = await responded(rawLink(await tlsOf(foreign, 2)));
  assert.equal(answer.status, 403);
  await lineOf(one, "LINK_FOREIGN_CERTIFICATE", /not of this cluster/);
  unharmed();
});

test("a member of a second cluster, dialling and being dialled", async () => {
  const stranger = await startNode({ member: 9, cluster: OTHER_CLUSTER, tls: await tlsOf(other, 9, OTHER_CLUSTER) });
  stranger.transport.setPeers([{ member: memberId(1), addresses: [one.address] }]);
  await lineOf(stranger, "LINK_FOREIGN_CERTIFICATE", /server's certificate is not of this cluster/);
  await stranger.transport.close();
  const answer = await responded(rawLink(await tlsOf(other, 9, OTHER_CLUSTER)));
  assert.match(answer.refusal, /^LINK_OTHER_CLUSTER/);
  await lineOf(one, "LINK_OTHER_CLUSTER", /certificate of cluster ff112233445566aa/);
  unharmed();
});

test("an old protocol version", async () => {
  const socket = rawLink(await tlsOf(authority, 3));
  socket.on("open", () => {
    const old = Buffer.from(hello({}));
    old[0] = 0;
    socket.send(old);
  });
  const { code, reason } = await closed(socket);
  assert.equal(code, 4003);
  assert.match(reason, /^LINK_VERSION: the peer speaks protocol version 0, this node speaks 1/);
  await lineOf(one, "LINK_VERSION", /version 0/);
  unharmed();
});

test("a hello that does not fit the certificate, or is for another member or cluster", async () => {
  const tls = await tlsOf(authority, 3);
  for (const [fields, expected] of [
    [{ from: 2 }, /^LINK_OTHER_MEMBER/],
    [{ to: 5 }, /^LINK_OTHER_MEMBER/],
    [{ cluster: OTHER_CLUSTER }, /^LINK_OTHER_CLUSTER/],
    [{ kind: "append" }, /^LINK_GARBAGE/],
  ] as const) {
    const socket = rawLink(tls);
    socket.on("open", () => socket.send(hello(fields)));
    assert.match((await closed(socket)).reason, expected);
  }
  unharmed();
});

test("a removed member and one that was never there", async () => {
  for (const [member, expected] of [
    [66, /^LINK_REMOVED: member 66 was removed/],
    [67, /^LINK_NOT_A_MEMBER/],
  ] as const) {
    const node = await startNode({ member, tls: await tlsOf(authority, member) });
    node.transport.setPeers([{ member: memberId(1), addresses: [one.address] }]);
    await node.links.until("the rejection", (events) =>
      events.some((event) => event.kind === "rejected" && expected.test(`${event.code}: ${event.reason}`)),
    );
    await node.transport.close();
  }
  await lineOf(one, "LINK_REMOVED", /removed from the cluster/);
  unharmed();
});

test("a peer that is refused again and again is told of once, then once a minute with a count, and comes back ever more seldom", async () => {
  const said: string[] = [];
  let nowMs = 1_000;
  const log = { ...silentLog, warn: (fields: Readonly<Record<string, unknown>>) => void said.push(String(fields["repeated"] ?? "first")) };
  const refusals = new Refusals(log, () => nowMs);
  // Eight attempts a second, from a new port each, for two and a half minutes.
  for (let turn = 0; turn < 1_200; turn += 1) {
    refusals.note("LINK_NOT_A_MEMBER", "member 9 is not in the configuration", { member: 9, remote: `10.0.0.9:${40_000 + turn}` });
    nowMs += 125;
  }
  assert.deepEqual(said, ["first", "479", "479"]);
  assert.equal(refusals.counts.LINK_NOT_A_MEMBER, 1_200);
  refusals.note("LINK_NOT_A_MEMBER", "member 8 is not in the configuration", { member: 8, remote: "10.0.0.8:40000" });
  assert.equal(said.length, 4, "somebody else is news");

  const node = await startNode({ member: 67, tls: await tlsOf(authority, 67) });
  node.transport.setPeers([{ member: memberId(1), addresses: [one.address] }]);
  // Pauses of 25 to 50 ms, doubling each time: ten refusals take more than ten seconds, five less than two.
  await node.links.until("five rejections", (events) => events.filter((event) => event.kind === "rejected").length >= 5);
  const loud = node.lines.items.filter((line) => line.level === "warn" || line.level === "error");
  assert.deepEqual(loud, [], "the refused one leaves it to its program to tell of that, which counts");
  const before = node.links.items.length;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.ok(node.links.items.length - before <= 4, `${node.links.items.length - before} more in 1.5 s`);
  await node.transport.close();
});

test("a frame of 1 GiB is refused by its length alone", async () => {
  const tls = await tlsOf(authority, 3);
  const [host, port] = one.address.split(":");
  const before = process.memoryUsage().rss;
  const socket = tlsConnect({
    host: host!,
    port: Number(port),
    cert: tls.certificatePem,
    key: tls.privateKeyPem,
    rejectUnauthorized: false,
  });
  const ended = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.on("error", () => {});
  socket.write(
    `GET /raft HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`,
  );
  socket.once("data", () => {
    const header = Buffer.alloc(14);
    header[0] = 0x82;
    header[1] = 0xff;
    header.writeBigUInt64BE(1n << 30n, 2);
    socket.write(header);
  });
  await ended;
  await lineOf(one, "LINK_FRAME_TOO_LARGE", /above the limit/);
  assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  unharmed();
});

test("garbage instead of TLS, instead of HTTP, instead of frames", async () => {
  const [host, port] = one.address.split(":");
  const plain = connect({ host: host!, port: Number(port) });
  plain.on("error", () => {});
  plain.write(Buffer.alloc(500, 0x5a));
  await lineOf(one, "LINK_GARBAGE", /no TLS handshake/);
  plain.destroy();
  const secure = tlsConnect({ host: host!, port: Number(port), rejectUnauthorized: false });
  secure.on("error", () => {});
  secure.write(Buffer.alloc(500, 0x5a));
  await lineOf(one, "LINK_GARBAGE", /no HTTP request/);
  secure.destroy();
  const tls = await tlsOf(authority, 3);
  for (const bytes of [Buffer.alloc(100, 0x5a), "text", Buffer.alloc(3), Buffer.concat([hello({}), Buffer.alloc(1)])]) {
    const socket = rawLink(tls);
    socket.on("open", () => socket.send(bytes));
    assert.match((await closed(socket)).reason, /^LINK_(GARBAGE|VERSION)/);
  }
  // After a good hello the frames are checked no less.
  const socket = rawLink(tls);
  socket.on("open", () => {
    socket.send(hello({}));
    socket.send(Buffer.concat([Buffer.from([1]), Buffer.alloc(40, 0x77)]));
  });
  assert.match((await closed(socket)).reason, /^LINK_GARBAGE: the checksum does not hold/);
  unharmed();
});

test("a joining node sends its secret only to the cluster that the token pins", async () => {
  const { token } = makeToken(CLUSTER, authority.certificatePem);
  const trust = { kind: "pin", cluster: CLUSTER, authorityHash: token.authorityHash } as const;
  const answer = await requestMember({ address: one.address, trust, path: "/join", body: { secret: token.secret } });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, { body: { secret: token.secret }, peer: null });
  assert.equal(certificateHash(answer.authorityPem), token.authorityHash);
  const wrong = { ...trust, authorityHash: certificateHash(foreign.certificatePem) };
  await assert.rejects(requestMember({ address: one.address, trust: wrong, path: "/join", body: {} }), /not the one that the token names/);
  await assert.rejects(
    requestMember({ address: one.address, trust: { ...trust, cluster: OTHER_CLUSTER }, path: "/join", body: {} }),
    new RegExp(`a member of cluster ${CLUSTER} answers there; the token is of cluster ${OTHER_CLUSTER}$`),
  );
  const big = await requestMember({ address: one.address, trust, path: "/join", body: { secret: "x".repeat(5000) } });
  assert.deepEqual(big.body, { body: null, peer: null });
});

test("a joining node is told in an operator's words why nobody is there to let it in", async () => {
  const trust = { kind: "pin", cluster: CLUSTER, authorityHash: certificateHash(authority.certificatePem) } as const;
  const asking = (address: string): Promise<unknown> => requestMember({ address, trust, path: "/join", body: {} });
  const plain = createServer((socket) =>
    socket
      .on("error", () => {})
      .resume()
      .end("HTTP/1.1 200 OK\r\n\r\n{}"),
  );
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(plain.address() as { port: number }).port}`;
  await assert.rejects(
    asking(address),
    new RegExp(`^RequestError: ${address}: who listens there does not speak TLS as members do \\(ERR_SSL_\\w+\\)$`),
  );
  await new Promise((resolve) => plain.close(resolve));
  await assert.rejects(asking(address), new RegExp(`^RequestError: ${address}: nothing listens there; a daemon listens from the moment`));
});

test("a member asks another one with its certificate; a stranger's server is not asked", async () => {
  const tls = await tlsOf(authority, 2);
  const answer = await requestMember({ address: one.address, trust: { kind: "tls", cluster: CLUSTER, tls }, path: "/api", body: {} });
  assert.deepEqual(answer.body, { peer: { kind: "member", cluster: CLUSTER, member: 2 } });
  const stranger = await tlsOf(foreign, 2);
  await assert.rejects(
    requestMember({ address: one.address, trust: { kind: "tls", cluster: CLUSTER, tls: stranger }, path: "/api", body: {} }),
    (error: { detail: { code: string } }) => error.detail.code === "REQUEST_OTHER_CLUSTER",
  );
});
