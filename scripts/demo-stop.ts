import { basename } from "node:path";
import { DemoCluster } from "./demo-cluster.ts";

const base = process.argv[2];
// It removes a directory: only one that the demo made.
if (base === undefined || !basename(base).startsWith("quorate-demo-")) {
  process.stderr.write("usage: demo.sh --stop DIR, the directory that the demo named\n");
  process.exit(2);
}
await (await DemoCluster.create(base, 3)).destroy();
