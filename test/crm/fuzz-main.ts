import { serverCommand } from "./conformance/runner.ts";
import { fuzzServer } from "./fuzz.ts";

/** `node dist/test/crm/fuzz-main.js [LINES] [SEED]`: fuzzed lines through one `configure --server`; 20,000 of them unless said otherwise. */
const lines = Number(process.argv[2] ?? "20000");
const seed = Number(process.argv[3] ?? "1");
const outcome = await fuzzServer(serverCommand(), seed, lines);
console.log(`seed ${seed}: ${outcome.lines} lines in ${outcome.requests} requests, ${outcome.committed} of them committed something`);
for (const problem of outcome.problems) console.log(problem);
console.log(`${outcome.problems.length === 0 ? 1 : 0} passed, ${outcome.problems.length} failed`);
process.exitCode = outcome.problems.length === 0 ? 0 : 1;
