import { missing } from "../support.ts";
import { runConformance } from "./runner.ts";

/** `npm run conformance:cli [-- --feature F --only REGEX --ids strict --verbose …]`: every open case, then `N passed, M failed`. */
const absent = missing("conformance", "cli", "cases", "open.json");
if (absent !== false) {
  console.log(`${absent}\n0 passed, 0 failed, 1 skipped`);
} else {
  const result = await runConformance(process.argv.slice(2));
  console.log(result.output.trimEnd());
  for (const id of result.failed) console.log(`failed: ${id}`);
  console.log(`${result.passed} passed, ${result.failed.length} failed`);
  process.exitCode = result.failed.length === 0 ? 0 : 1;
}
