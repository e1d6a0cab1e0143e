import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HEALTHY, VirtualServices } from "../../src/app/sim/agents.ts";
import { seededRandom } from "../../src/core/base/index.ts";
import type { AgentAction, AgentOutcome } from "../../src/core/ports/index.ts";
import { AgentRunner } from "../../src/io/agents/index.ts";
import { action, ROOT } from "../guardian/support.ts";

/** Agents of one host; `failing` names an operation that is to fail now. */
type Subject = {
  readonly run: (of: AgentAction, failing: boolean) => Promise<AgentOutcome>;
  readonly dispose: () => void;
};

const SUBJECTS: readonly (readonly [string, () => Subject])[] = [
  [
    "processes of ocf:quorate:dummy",
    () => {
      const directory = mkdtempSync(join(tmpdir(), "quorate-agents-"));
      mkdirSync(join(directory, "state"));
      const runner = new AgentRunner({
        ocfRoot: "/usr/lib/ocf",
        temporaryDirectory: directory,
        inherited: { PATH: process.env["PATH"] ?? "" },
        extra: {},
        markers: {},
        providers: { quorate: join(ROOT, "agents", "ocf") },
        fenceDirectories: [],
        initDirectory: "/etc/init.d",
        cgroups: null,
        systemdDirectory: join(directory, "no-systemd"),
      });
      return {
        run: (of, failing) => {
          const params = { ...of.params, state: join(directory, "state", of.resource), ...(failing ? { fail_on: of.operation } : {}) };
          return runner.start({ ...of, params }, { spawned: () => {} }).outcome;
        },
        dispose: () => rmSync(directory, { recursive: true }),
      };
    },
  ],
  [
    "services of the simulator",
    () => {
      const services = new VirtualServices(seededRandom(1), () => {});
      return {
        run: async (of, failing) => {
          services.weather = failing ? { startFails: 1, monitorFails: 1, stopFails: 1, slow: 0 } : HEALTHY;
          const begun = services.begin(of);
          assert.ok(begun.takesMs > 0);
          return begun.end();
        },
        dispose: () => {},
      };
    },
  ],
];

const RUNNING = 0;
const NOT_RUNNING = 7;

for (const [name, make] of SUBJECTS) {
  const contract = (
    what: string,
    body: (
      code: (operation: string, options?: { readonly resource?: string; readonly failing?: true }) => Promise<number>,
    ) => Promise<void>,
  ): void => {
    test(`agents, ${name}: ${what}`, async () => {
      const subject = make();
      try {
        await body(async (operation, options = {}) => {
          const outcome = await subject.run(action({ operation, resource: options.resource ?? "r1" }), options.failing ?? false);
          assert.ok(outcome.kind === "exited", JSON.stringify(outcome));
          assert.ok(outcome.elapsedMs >= 0);
          return outcome.code;
        });
      } finally {
        subject.dispose();
      }
    });
  };

  contract("what was never started is not running, and may be stopped", async (code) => {
    assert.equal(await code("monitor"), NOT_RUNNING);
    assert.equal(await code("stop"), 0);
    assert.equal(await code("monitor"), NOT_RUNNING);
  });

  contract("start, monitor, stop; each twice is as once", async (code) => {
    for (const [operation, expected] of [
      ["start", 0],
      ["start", 0],
      ["monitor", RUNNING],
      ["stop", 0],
      ["stop", 0],
      ["monitor", NOT_RUNNING],
    ] as const)
      assert.equal(await code(operation), expected, operation);
  });

  contract("resources do not see one another", async (code) => {
    assert.equal(await code("start", { resource: "a" }), 0);
    assert.equal(await code("monitor", { resource: "b" }), NOT_RUNNING);
    assert.equal(await code("stop", { resource: "b" }), 0);
    assert.equal(await code("monitor", { resource: "a" }), RUNNING);
  });

  contract("a start that failed is an error, and a stop cleans up after it", async (code) => {
    assert.equal(await code("start", { failing: true }), 1);
    assert.equal(await code("stop"), 0);
    assert.equal(await code("monitor"), NOT_RUNNING);
  });

  contract("after a stop that failed it runs still; a monitor that fails is neither running nor stopped", async (code) => {
    assert.equal(await code("start"), 0);
    assert.equal(await code("stop", { failing: true }), 1);
    assert.equal(await code("monitor", { failing: true }), 1);
    assert.equal(await code("monitor"), RUNNING);
    assert.equal(await code("stop"), 0);
    assert.equal(await code("monitor"), NOT_RUNNING);
  });
}
