import assert from "node:assert/strict";
import { test } from "node:test";
import { WatchHub } from "../../src/app/daemon/index.ts";
import type { WatchEvent } from "../../src/core/controller/index.ts";

const event = { kind: "applied", command: "config.edit", summary: "", facts: {}, atMs: 0 } as WatchEvent;

/** What a watch that begins after `from` hears. */
function hears(hub: WatchHub, from: number | null, nowIndex: number): (number | string)[] {
  const heard: (number | string)[] = [];
  hub.add(
    { closed: false, push: (_, index) => heard.push(index), reset: (index) => heard.push(`reset ${index}`), end: () => heard.push("end") },
    from,
    nowIndex,
  );
  return heard;
}

test("a daemon that starts from a snapshot cannot give what led to it, and says so", () => {
  const hub = new WatchHub(500);
  hub.push(event, 501);
  assert.deepEqual(hears(hub, 300, 501), ["reset 501"]);
  assert.deepEqual(hears(hub, 500, 501), [501]);
});

test("a watch that comes from a member ahead of this one hears nothing twice", () => {
  const hub = new WatchHub(0);
  hub.push(event, 1);
  const heard = hears(hub, 3, 1);
  for (const index of [2, 3, 4]) hub.push(event, index);
  assert.deepEqual(heard, [4]);
});

test("after a reset of the node a watch goes on from there", () => {
  const hub = new WatchHub(0);
  const heard = hears(hub, 9, 1);
  hub.push({ kind: "reset" }, 7);
  hub.push(event, 8);
  assert.deepEqual(heard, ["reset 7", 8]);
});
