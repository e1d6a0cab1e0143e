import assert from "node:assert/strict";
import { test } from "node:test";
import { incarnation, logIndex, memberId } from "../../src/core/base/index.ts";
import { apply, type CibState, type Command, type Element, element, emptyState, type FencingRequest } from "../../src/core/cib/index.ts";
import { nextFencingStep } from "../../src/core/fencing/index.ts";

function run(state: CibState, ...commands: readonly Command[]): CibState {
  let next = state;
  for (const command of commands) next = apply(next, logIndex(next.index + 1), { atMs: next.index + 1, origin: null, command }).state;
  return next;
}

function device(id: string, params: Readonly<Record<string, string>>): Command {
  const pairs = Object.entries(params).map(([name, value]) => element("nvpair", { id: `${id}-${name}`, name, value }));
  const after = element("primitive", { id, class: "stonith", type: "fence_x" }, [
    element("instance_attributes", { id: `${id}-ia` }, pairs),
  ]);
  return { kind: "config.edit", edits: [{ section: "resources", id, before: null, after }] };
}

function level(id: string, index: string, devices: string): Command {
  const after: Element = element("fencing-level", { id, target: "n3", index, devices });
  return { kind: "config.edit", edits: [{ section: "fencing-topology", id, before: null, after }] };
}

function cluster(...more: readonly Command[]): CibState {
  const hello = (id: number): Command => ({
    kind: "node.hello",
    memberId: memberId(id),
    incarnation: incarnation(`i${id}`),
    guarantee: "none",
    stopBoundMs: 0,
    trips: 0,
    version: "1",
    featureLevelMax: 1,
  });
  return run(
    emptyState(),
    { kind: "cluster.create", clusterId: "00112233aabbccdd", name: "c", node: "n1", memberId: memberId(1) },
    { kind: "node.join", node: "n2", memberId: memberId(2) },
    { kind: "node.join", node: "n3", memberId: memberId(3) },
    hello(1),
    hello(2),
    hello(3),
    { kind: "node.lost", memberId: memberId(3), incarnation: incarnation("i3"), reason: "silent" },
    ...more,
    { kind: "fencing.request", target: "n3", action: "reboot", reason: "r", source: "operator", basedOn: null },
  );
}

function request(state: CibState): FencingRequest {
  const found = state.fencing.get("n3");
  assert.ok(found);
  return found;
}

/** Carries out one attempt with the given end. */
function attempt(state: CibState, ok: boolean): { state: CibState; device: string; by: string } {
  const step = nextFencingStep(state, request(state));
  assert.equal(step.kind, "attempt");
  const begun = run(state, { kind: "fencing.attempt", target: "n3", request: request(state).id, attempt: step.attempt });
  const key = request(begun).current?.key ?? "";
  assert.equal(nextFencingStep(begun, request(begun)).kind, "wait");
  const ended = run(begun, {
    kind: "fencing.result",
    target: "n3",
    request: request(begun).id,
    attemptKey: key,
    ok,
    reason: ok ? null : "no",
  });
  return { state: ended, device: step.attempt.device, by: step.attempt.by };
}

test("without a device there is a reason", () => {
  const state = cluster();
  assert.deepEqual(nextFencingStep(state, request(state)), { kind: "exhausted", reason: "no device can fence n3" });
});

test("a device that does not name the target is never used", () => {
  const state = cluster(device("p", { pcmk_host_list: "n1 n2" }));
  assert.equal(nextFencingStep(state, request(state)).kind, "exhausted");
});

test("a device runs on a live node other than the target, and its success is the proof", () => {
  const first = attempt(cluster(device("p", { pcmk_host_list: "n1,n2,n3" })), true);
  assert.equal(first.device, "p");
  assert.notEqual(first.by, "n3");
  assert.deepEqual(nextFencingStep(first.state, request(first.state)), { kind: "fenced", by: "device p" });
});

test("a failed device is tried again from another node, then the next one, then the round ends", () => {
  const one = attempt(cluster(device("a", { pcmk_host_map: "n3:7" }), device("b", { pcmk_host_list: "n3" })), false);
  const two = attempt(one.state, false);
  const three = attempt(two.state, false);
  const four = attempt(three.state, false);
  assert.deepEqual([one.device, two.device, three.device, four.device], ["a", "a", "b", "b"]);
  assert.notEqual(one.by, two.by);
  assert.deepEqual(nextFencingStep(four.state, request(four.state)), { kind: "exhausted", reason: "no" });
});

test("all devices of a topology level must succeed; the next level is tried when one fails for good", () => {
  const devices = [device("a", { pcmk_host_list: "n3" }), device("b", { pcmk_host_list: "n3" }), device("c", { pcmk_host_list: "n3" })];
  const state = cluster(...devices, level("l1", "1", "a,b"), level("l2", "2", "c"));
  const a = attempt(state, true);
  const b = attempt(a.state, false);
  const again = attempt(b.state, false);
  const c = attempt(again.state, true);
  assert.deepEqual([a.device, b.device, again.device, c.device], ["a", "b", "b", "c"]);
  assert.deepEqual(nextFencingStep(c.state, request(c.state)), { kind: "fenced", by: "device c" });
});

test("an attempt ends with the node that ran it", () => {
  const state = cluster(device("p", { pcmk_host_list: "n3" }));
  const step = nextFencingStep(state, request(state));
  assert.equal(step.kind, "attempt");
  const begun = run(state, { kind: "fencing.attempt", target: "n3", request: request(state).id, attempt: step.attempt });
  const id = step.attempt.by === "n1" ? 1 : 2;
  const lost = run(begun, { kind: "node.lost", memberId: memberId(id), incarnation: incarnation(`i${id}`), reason: "silent" });
  assert.equal(nextFencingStep(lost, request(lost)).kind, "abandon");
});
