import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { memberId } from "../../src/core/base/index.ts";
import {
  CERTIFICATE_LIFE_MS,
  CLOCK_ALLOWANCE_MS,
  certificateHash,
  createAuthority,
  createRequest,
  isIssuedBy,
  issueCertificate,
  loadIdentity,
  makeToken,
  type NodeIdentity,
  needsRenewal,
  type PkiError,
  parseToken,
  readCertificate,
  saveIdentity,
} from "../../src/io/pki/index.ts";
import { formatPeerUri, parsePeerUri, peerNameOf } from "../../src/io/wire/index.ts";

const CLUSTER = "00112233445566aa";
const NOW_MS = Date.parse("2026-03-01T00:00:00Z");

async function makeIdentity(member = 5): Promise<{ identity: NodeIdentity; authorityPem: string }> {
  const authority = await createAuthority({ cluster: CLUSTER, clusterName: "demo", nowMs: NOW_MS });
  const request = await createRequest("alpha");
  const certificatePem = await issueCertificate(authority, {
    requestPem: request.requestPem,
    name: { kind: "member", cluster: CLUSTER, member: memberId(member) },
    label: "alpha",
    hosts: ["127.0.0.1", "::1", "alpha.example"],
    nowMs: NOW_MS,
  });
  const identity = {
    cluster: CLUSTER,
    member: memberId(member),
    certificatePem,
    privateKeyPem: request.privateKeyPem,
    authorityPem: authority.certificatePem,
    authorityKeyPem: authority.privateKeyPem,
  };
  return { identity, authorityPem: authority.certificatePem };
}

test("a member's certificate names the member, its hosts and its cluster, and ends", async () => {
  const { identity, authorityPem } = await makeIdentity(5);
  const facts = readCertificate(identity.certificatePem);
  assert.deepEqual(facts.name, { kind: "member", cluster: CLUSTER, member: 5 });
  assert.equal(facts.label, "alpha");
  assert.equal(facts.notAfterMs, NOW_MS + CERTIFICATE_LIFE_MS);
  assert.equal(facts.notBeforeMs, NOW_MS - CLOCK_ALLOWANCE_MS);
  assert.equal(isIssuedBy(identity.certificatePem, authorityPem, NOW_MS), true);
  assert.equal(isIssuedBy(identity.certificatePem, authorityPem, NOW_MS + CERTIFICATE_LIFE_MS + 1000), false);
  const other = await createAuthority({ cluster: CLUSTER, clusterName: "demo", nowMs: NOW_MS });
  assert.equal(isIssuedBy(identity.certificatePem, other.certificatePem, NOW_MS), false);
  assert.equal(isIssuedBy(identity.certificatePem, other.certificatePem + authorityPem, NOW_MS), true);
});

test("certificates are renewed from two thirds of their life on", async () => {
  const { identity } = await makeIdentity();
  const life = CERTIFICATE_LIFE_MS + CLOCK_ALLOWANCE_MS;
  const start = NOW_MS - CLOCK_ALLOWANCE_MS;
  assert.equal(needsRenewal(identity.certificatePem, start + (life * 2) / 3 - 2000), false);
  assert.equal(needsRenewal(identity.certificatePem, start + (life * 2) / 3 + 2000), true);
});

test("only requests signed by their own key are answered", async () => {
  const authority = await createAuthority({ cluster: CLUSTER, clusterName: "demo", nowMs: NOW_MS });
  const name = { kind: "operator", cluster: CLUSTER, operator: "ada" } as const;
  const ask = (requestPem: string) => issueCertificate(authority, { requestPem, name, label: "ada", hosts: [], nowMs: NOW_MS });
  const good = await createRequest("ada");
  assert.deepEqual(readCertificate(await ask(good.requestPem)).name, name);
  await assert.rejects(ask("rubbish"), { detail: { code: "PKI_BAD_REQUEST" } });
  const lines = good.requestPem.split("\n");
  const der = Buffer.from(lines.slice(1, -1).join(""), "base64");
  der[der.length - 5]! ^= 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
  await assert.rejects(ask(forged), { detail: { code: "PKI_BAD_REQUEST" } });
});

test("an identity is kept with keys for the owner only, and read back whole", async () => {
  const directory = await mkdtemp(join(tmpdir(), "quorate-pki-"));
  try {
    assert.equal(await loadIdentity(directory), null);
    const { identity } = await makeIdentity();
    await saveIdentity(directory, identity);
    const modes = await Promise.all(
      (await readdir(directory)).sort().map(async (name) => `${name} ${((await stat(join(directory, name))).mode & 0o777).toString(8)}`),
    );
    assert.deepEqual(modes, ["ca.crt 644", "ca.key 600", "node.crt 644", "node.key 600"]);
    const loaded = await loadIdentity(directory);
    assert.deepEqual(
      { ...loaded, certificatePem: loaded?.certificatePem.trim(), privateKeyPem: loaded?.privateKeyPem.trim() },
      { ...identity, certificatePem: identity.certificatePem.trim(), privateKeyPem: identity.privateKeyPem.trim() },
    );
    await chmod(join(directory, "node.key"), 0o640);
    await assert.rejects(loadIdentity(directory), (error: PkiError) => error.detail.code === "PKI_KEY_EXPOSED");
    const foreign = await makeIdentity();
    await saveIdentity(directory, { ...identity, authorityPem: foreign.authorityPem });
    await assert.rejects(loadIdentity(directory), (error: PkiError) => error.detail.code === "PKI_MISMATCH");
    await saveIdentity(directory, { ...identity, privateKeyPem: foreign.identity.privateKeyPem });
    await assert.rejects(loadIdentity(directory), (error: PkiError) => error.detail.code === "PKI_MISMATCH");
    await saveIdentity(directory, { ...identity, authorityKeyPem: null });
    assert.equal((await loadIdentity(directory))?.authorityKeyPem, null);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a token pins the authority, survives copying, and shows typing errors", async () => {
  const { authorityPem } = await makeIdentity();
  const { text, token, hash } = makeToken(CLUSTER, authorityPem);
  assert.match(text, /^q1\.[A-Za-z0-9_-]{102}$/);
  assert.equal(token.authorityHash, certificateHash(authorityPem));
  assert.deepEqual(parseToken(` ${text}\n`), { kind: "token", token });
  for (let at = 3; at < text.length; at += 7) {
    const wrong = `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
    assert.equal(parseToken(wrong).kind, "malformed");
  }
  for (const wrong of ["", "q1.", "q2.abc", text.slice(0, -1), `${text}x`, "q1.$$$"])
    assert.equal(parseToken(wrong).kind, "malformed", wrong);
  assert.equal(hash.includes(token.secret), false);
});

test("a damaged identity is refused with the name of the file", async () => {
  const directory = await mkdtemp(join(tmpdir(), "quorate-pki-"));
  try {
    const { identity } = await makeIdentity();
    const foreign = await makeIdentity();
    const other = foreign.identity.authorityKeyPem;
    assert.ok(other !== null);
    const certificate = "-----BEGIN CERTIFICATE-----\nxxxx\n-----END CERTIFICATE-----\n";
    const damage: readonly (readonly [file: string, bytes: string])[] = [
      ...["node.key", "ca.crt"].flatMap((file) => ["", "-----BEGIN", certificate].map((bytes) => [file, bytes] as const)),
      ...["", "-----BEGIN", other].map((bytes) => ["ca.key", bytes] as const),
    ];
    for (const [file, bytes] of damage) {
      await saveIdentity(directory, identity);
      await writeFile(join(directory, file), bytes);
      await assert.rejects(loadIdentity(directory), (error: PkiError) => {
        assert.equal(error.detail.code, "PKI_MISMATCH", `${file}: ${error}`);
        assert.ok(error.message.includes(join(directory, file)), `${file}: ${error.message}`);
        return true;
      });
    }
    await saveIdentity(directory, identity);
    await rm(join(directory, "ca.crt"));
    await assert.rejects(loadIdentity(directory), { detail: { code: "PKI_MISSING", path: join(directory, "ca.crt") } });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("names in certificates: one URI of ours, nothing else counts", () => {
  const member = { kind: "member", cluster: CLUSTER, member: memberId(2 ** 52 + 1) } as const;
  assert.deepEqual(parsePeerUri(formatPeerUri(member)), member);
  assert.deepEqual(peerNameOf(`DNS:a, URI:${formatPeerUri(member)}, IP Address:127.0.0.1`), member);
  for (const text of [
    undefined,
    "DNS:a",
    `URI:${formatPeerUri(member)}, URI:quorate://${CLUSTER}/7`,
    `URI:quorate://${CLUSTER}/0`,
    `URI:quorate://${CLUSTER}/07`,
    `URI:quorate://${CLUSTER}/99999999999999999`,
    `URI:quorate://short/7`,
    `DNS:quorate://${CLUSTER}/7`,
  ]) {
    assert.equal(peerNameOf(text), null, text);
  }
});
