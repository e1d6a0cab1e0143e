import type { Story } from "./main.ts";

const SHOP = "10.97.0.101";
const MAIL = "10.97.0.102";

/** Two services, each at home on another host and standing by for the other; the third host only votes. */
export const mutualStandby: Story = {
  name: "mutual-standby",
  size: 3,
  play: async (deployment) => {
    const { cluster } = deployment;
    deployment.prepareNginx("shop", SHOP);
    deployment.prepareNginx("mail", MAIL);
    await deployment.configure(`${deployment.group("shop", SHOP)}${deployment.group("mail", MAIL)}
location shop-home shop 200: n1
location shop-away shop 100: n2
location shop-never shop -inf: n3
location mail-home mail 200: n2
location mail-away mail 100: n1
location mail-never mail -inf: n3
`);
    const at = async (shop: string, mail: string): Promise<boolean> =>
      (await deployment.ask(SHOP)) === `shop on ${shop}` && (await deployment.ask(MAIL)) === `mail on ${mail}`;
    await deployment.becomes("each service is at home", 30_000, () => at("n1", "n2"));
    cluster.say("power off n1");
    await cluster.off("n1");
    await deployment.becomes("after the power cut of n1 both are on n2", 60_000, () => at("n2", "n2"));
    await cluster.on("n1");
    await deployment.becomes("with n1 back each is at home again", 90_000, () => at("n1", "n2"));
    await deployment.settled();
    await cluster.quorate("n1", ["-w", "node", "standby", "n2"]);
    await deployment.becomes("with n2 in standby both are on n1", 30_000, () => at("n1", "n1"));
    await cluster.quorate("n1", ["-w", "node", "online", "n2"]);
    await deployment.becomes("with n2 online each is at home again", 30_000, () => at("n1", "n2"));
  },
};
