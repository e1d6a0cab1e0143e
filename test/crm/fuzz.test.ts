import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalText } from "../../src/core/cib/index.ts";
import { CrmError, type EditSession, objectTypeOf, tokenize } from "../../src/core/crm/index.ts";
import { serverCommand } from "./conformance/runner.ts";
import { fuzzedLines, fuzzServer } from "./fuzz.ts";
import { sessionOf, threeNodes } from "./support.ts";

/** The soak test types ten times as many (`test/crm/fuzz-main.ts`). */
const LINES = 2000;
const SEED = 20261124;

/** Commands of a session that change it, by their first word; the rest of a fuzzed line goes to whatever it is about. */
function typed(session: EditSession, line: string): void {
  const [command = "", ...words] = tokenize(line).map((token) => token.text);
  const type = objectTypeOf(command);
  if (type !== null) session.define(type, line);
  else if (command === "xml") session.defineXml(line);
  else if (command === "delete") session.remove(words, false);
  else if (command === "rename") session.rename(words[0] ?? "", words[1] ?? "", false);
  else if (command === "modgroup") session.modgroup(words);
  else if (command === "set") session.set(words[0] ?? "", words[1] ?? "");
  else if (command === "monitor") session.monitor(words);
  else if (command === "default-timeouts") session.defaultTimeouts(words);
  else session.load(`primitive new${session.configuration.children.length} Dummy\n${line}\n`, "crm", "update");
}

test(`a refused line changes nothing, whatever it was (seed ${SEED})`, () => {
  const session = sessionOf(threeNodes());
  let refused = 0;
  let taken = 0;
  for (const line of fuzzedLines(SEED, 5 * LINES)) {
    const before = session.configuration;
    const text = canonicalText(before);
    try {
      typed(session, line);
      taken += 1;
    } catch (error) {
      assert.ok(error instanceof CrmError, `${line}: ${String(error)}`);
      assert.equal(session.configuration, before, line);
      refused += 1;
    }
    assert.equal(canonicalText(before), text, `${line}: what was there before is not written over`);
    if (taken % 20 === 19) session.restart(threeNodes());
  }
  assert.ok(refused > LINES && taken > LINES / 10, `${refused} refused, ${taken} taken`);
});

test(`${LINES} fuzzed lines (seed ${SEED}): every request is answered, nothing is half committed`, async () => {
  const outcome = await fuzzServer(serverCommand(), SEED, LINES);
  assert.deepEqual(outcome.problems, []);
  assert.ok(outcome.committed > 0, "some lines must be right, or nothing is tested");
});
