import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openContext } from "../../src/app/cli/context.ts";
import type { CliOptions } from "../../src/app/cli/level.ts";
import { rootLevel } from "../../src/app/cli/root.ts";
import { Shell } from "../../src/app/cli/shell.ts";
import { LiveCluster, type LiveNode } from "./live-cluster.ts";

/** A person at the `configure` level of the real program, over a daemon's socket. */
class Operator {
  readonly #context: ReturnType<typeof openContext>;
  readonly #shell: Shell;
  said = "";
  out = "";

  constructor(node: LiveNode) {
    const options: CliOptions = {
      force: false,
      no: false,
      wait: false,
      debug: false,
      display: "plain",
      cibFile: null,
      shadow: null,
      socketPath: node.socketPath,
    };
    const say = (text: string): void => {
      this.said += `${text}\n`;
    };
    const print = (text: string): void => {
      this.out += text;
    };
    const terminal = {
      interactive: false,
      color: false,
      write: print,
      out: (line: string) => print(`${line}\n`),
      error: say,
      warn: say,
      info: say,
      confirm: async (_question: string, safe: boolean) => safe,
    };
    this.#context = openContext(terminal, "interactive", options);
    this.#shell = new Shell(rootLevel(), this.#context);
  }

  /** False when one of the lines failed. */
  async types(...lines: readonly string[]): Promise<boolean> {
    let ok = true;
    for (const line of lines) ok = (await this.#shell.run(line)).ok && ok;
    return ok;
  }

  leave(): void {
    this.#context.close();
  }
}

describe("operators who commit at once", { concurrency: false, timeout: 120_000 }, () => {
  let cluster: LiveCluster;
  const operators: Operator[] = [];
  before(async () => {
    cluster = await LiveCluster.formed(3);
  });
  after(async () => {
    for (const operator of operators) operator.leave();
    await cluster?.destroy();
  });
  const operator = async (at: number): Promise<Operator> => {
    const made = new Operator(cluster.nodes[at]!);
    operators.push(made);
    // The first command reads the configuration: from here on both have the same in their hands.
    assert.ok(await made.types("configure", "show"), made.said);
    return made;
  };
  const shown = async (): Promise<string> => {
    const reader = await operator(2);
    reader.out = "";
    assert.ok(await reader.types("show"), reader.said);
    return reader.out;
  };
  const primitive = (id: string, more = ""): string => `primitive ${id} ocf:quorate:dummy${more} op monitor interval=10s timeout=20s`;

  test("a new cluster begins with what we recommend, written down", async () => {
    const text = await shown();
    assert.match(text, /^rsc_defaults rsc-options: \\\n\tresource-stickiness=1 \\\n\tmigration-threshold=3$/m);
    assert.match(text, /start-failure-is-fatal=false/);
    const { index, epoch } = await cluster.status(cluster.nodes[0]!);
    assert.ok(epoch >= 1 && index > 0);
  });

  test("different objects: both succeed, whichever node they speak to", async () => {
    const [anna, bert] = [await operator(0), await operator(1)];
    assert.ok(await anna.types(primitive("a"), "simulate actions"), anna.said);
    assert.match(anna.out, /Start +a +\( +n\d \)/, "a simulation starts from the live status");
    assert.ok(await bert.types(primitive("b")), bert.said);
    assert.deepEqual(await Promise.all([anna.types("commit"), bert.types("commit")]), [true, true], `${anna.said}${bert.said}`);
    const text = await shown();
    assert.match(text, /^primitive a /m);
    assert.match(text, /^primitive b /m);
  });

  test("the same object: one wins, the other is told the difference, loses nothing and can go on", async () => {
    const [anna, bert] = [await operator(0), await operator(1)];
    assert.ok(await anna.types("rsc_defaults resource-stickiness=10", primitive("c")), anna.said);
    assert.ok(await bert.types("rsc_defaults resource-stickiness=20", primitive("d")), bert.said);
    const outcomes = await Promise.all([anna.types("commit"), bert.types("commit")]);
    assert.deepEqual([...outcomes].sort(), [false, true], "exactly one wins");
    const [winner, loser] = outcomes[0] === true ? [anna, bert] : [bert, anna];
    assert.equal(winner.said.includes("somebody else"), false);
    assert.match(loser.said, /rsc-options: somebody else changed it/);
    assert.match(loser.out, /read: +.*stickiness=1 [\s\S]*now: +.*stickiness=[12]0[\s\S]*yours:.*stickiness=[12]0/);
    const [won, lost] = winner === anna ? ["c", "d"] : ["d", "c"];
    const between = await shown();
    assert.match(between, new RegExp(`^primitive ${won} `, "m"));
    assert.doesNotMatch(between, new RegExp(`^primitive ${lost} `, "m"), "a refused commit changes nothing at all");
    assert.ok(await loser.types("commit force"), loser.said);
    const after = await shown();
    for (const id of ["a", "b", "c", "d"]) assert.match(after, new RegExp(`^primitive ${id} `, "m"), "nothing is lost");
    assert.match(after, new RegExp(`stickiness=${loser === anna ? 10 : 20}`));
  });

  test("one after the other, many: every change arrives once", async () => {
    const some = await Promise.all([0, 1, 2].map((at) => operator(at)));
    const rounds = await Promise.all(
      some.map(async (each, at) => {
        for (let round = 0; round < 5; round += 1) {
          if (!(await each.types(`tag t${at}x${round} a b`, "commit"))) return each.said;
        }
        return "";
      }),
    );
    assert.deepEqual(rounds, ["", "", ""]);
    assert.equal((await shown()).match(/^tag t/gm)?.length, 15);
  });
});
