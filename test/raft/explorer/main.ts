import { parseArgs } from "node:util";
import { explore } from "./explore.ts";
import { planted, sound } from "./scenes.ts";

const { values } = parseArgs({ options: { states: { type: "string" }, only: { type: "string" } } });
const kinds = [...sound, ...planted];
const limit = values.states === undefined ? null : Number(values.states);
let bad = 0;
for (const scene of kinds.filter((one) => one.name.includes(values.only ?? ""))) {
  const began = Date.now();
  const outcome = explore(scene.setup, limit ?? scene.maxStates);
  const found = outcome.violation;
  const expected = scene.fault !== null;
  if (expected !== (found !== null)) bad += 1;
  const extent = outcome.complete ? "complete" : found === null ? "cut" : "stopped";
  console.log(`${scene.name}: ${outcome.states} states, depth ${outcome.depth}, ${extent}, ${Date.now() - began} ms`);
  if (found !== null) console.log(`  ${found.rule}\n  ${found.path.join("; ")}`);
}
console.log(bad === 0 ? "explorer: as expected" : `explorer: ${bad} scenes not as expected`);
process.exit(bad === 0 ? 0 : 1);
