import { destroyOnSignals } from "../chaos/cluster.ts";
import { sweepLabs } from "../chaos/lab.ts";
import { Deployment } from "./deployment.ts";
import { mutualStandby } from "./mutual-standby.ts";
import { orderedStandby } from "./ordered-standby.ts";
import { virtualIp } from "./virtual-ip.ts";

export type Story = {
  readonly name: string;
  readonly size: number;
  readonly play: (deployment: Deployment) => Promise<void>;
};

const STORIES: readonly Story[] = [virtualIp, mutualStandby, orderedStandby];

async function main(): Promise<void> {
  destroyOnSignals();
  await sweepLabs();
  const wanted = process.argv.slice(2);
  let passed = 0;
  let failed = 0;
  for (const story of STORIES) {
    if (wanted.length > 0 && !wanted.includes(story.name)) continue;
    process.stdout.write(`== ${story.name}\n`);
    const tally = await Deployment.played(story.size, story.play);
    passed += tally.passed;
    failed += tally.failed;
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

main().catch((error: unknown) => {
  process.stderr.write(`deployments: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n0 passed, 1 failed\n`);
  process.exit(1);
});
