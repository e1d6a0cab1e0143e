import type { Story } from "./main.ts";

const ADDRESS = "10.97.0.100";

/** An address and a web server as one group: the host that has them loses its power, the client sees them move. */
export const virtualIp: Story = {
  name: "virtual-ip",
  size: 3,
  play: async (deployment) => {
    const { cluster } = deployment;
    deployment.prepareNginx("shop", ADDRESS);
    await deployment.configure(`${deployment.group("shop", ADDRESS)}location prefer shop 100: n2\n`);
    await deployment.becomes("the client reaches the service on n2", 30_000, async () => (await deployment.ask(ADDRESS)) === "shop on n2");
    const before = await deployment.neighbour(ADDRESS);
    cluster.say("power off n2");
    await cluster.off("n2");
    const offMs = Date.now();
    let answer = "";
    await deployment.becomes("after the power cut the client reaches it on another host", 60_000, async () => {
      answer = await deployment.ask(ADDRESS);
      return answer !== "";
    });
    if (answer === "shop on n2") throw new Error(`the client was answered by ${answer}`);
    cluster.say(`outage ${Date.now() - offMs} ms`);
    await deployment.becomes(
      "the client's neighbour table names another card",
      10_000,
      async () => (await deployment.neighbour(ADDRESS)) !== before,
    );
    await cluster.on("n2");
    await deployment.becomes(
      "it goes back to the host that it prefers",
      90_000,
      async () => (await deployment.ask(ADDRESS)) === "shop on n2",
    );
    await deployment.settled();
    await deployment.becomes("one host alone has the address", 10_000, async () => (await deployment.holders(ADDRESS)).join() === "n2");
  },
};
