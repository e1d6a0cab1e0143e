import { parseArgs } from "node:util";
import { faults } from "./list.ts";

const { values } = parseArgs({ options: { only: { type: "string" }, from: { type: "string" } } });
const chosen = faults.filter(({ name }) => values.only === undefined || values.only.split(",").includes(name));
let failed = 0;
for (const [at, fault] of chosen.entries()) {
  const began = performance.now();
  const found = await fault.find(Number(values.from ?? "1"));
  if (found === null) failed += 1;
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(`${String(at + 1).padStart(2)}. ${fault.name} (${fault.rule})`);
  if (found === null) console.log(`    NOT FOUND by ${fault.bound}, ${seconds} s`);
  else console.log(`    found by ${found.where} in ${seconds} s: ${found.what.slice(0, 200)}`);
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && chosen.length > 0 ? 0 : 1;
