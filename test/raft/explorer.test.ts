import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "./explorer/explore.ts";
import { planted, sound } from "./explorer/scenes.ts";

/** States per sound scene here; `node dist/test/raft/explorer/main.js` goes to each scene's own bound. */
const STATES = 2000;

for (const scene of sound) {
  test(`explorer: no rule breaks in: ${scene.name}`, (context) => {
    const outcome = explore(scene.setup, STATES);
    context.diagnostic(`${outcome.states} states, depth ${outcome.depth}`);
    assert.deepEqual(outcome.violation, null);
    assert.ok(outcome.states >= STATES || outcome.complete);
  });
}

for (const scene of planted) {
  test(`explorer: finds a planted fault: ${scene.name}`, (context) => {
    const outcome = explore(scene.setup, scene.maxStates);
    context.diagnostic(`${outcome.states} states, depth ${outcome.depth}: ${outcome.violation?.rule}`);
    assert.ok(outcome.violation !== null, `not found in ${outcome.states} states`);
  });
}
