import type { Story } from "./main.ts";

const SHOP = "10.97.0.103";
const MAIL = "10.97.0.104";

/** Two services, each on a host of its own, and two standby hosts for both in a fixed order: n3 before n4. */
export const orderedStandby: Story = {
  name: "ordered-standby",
  size: 4,
  play: async (deployment) => {
    const { cluster } = deployment;
    deployment.prepareNginx("shop", SHOP);
    deployment.prepareNginx("mail", MAIL);
    const preferences = (service: string, home: string, never: string): string =>
      `location ${service}-home ${service} 300: ${home}
location ${service}-first ${service} 200: n3
location ${service}-second ${service} 100: n4
location ${service}-never ${service} -inf: ${never}
`;
    await deployment.configure(
      `${deployment.group("shop", SHOP)}${deployment.group("mail", MAIL)}${preferences("shop", "n1", "n2")}${preferences("mail", "n2", "n1")}`,
    );
    const shopOn = async (host: string): Promise<boolean> => (await deployment.ask(SHOP)) === `shop on ${host}`;
    const mailOn = async (host: string): Promise<boolean> => (await deployment.ask(MAIL)) === `mail on ${host}`;
    await deployment.becomes("each service is on a host of its own", 30_000, async () => (await shopOn("n1")) && (await mailOn("n2")));
    await cluster.quorate("n2", ["-w", "node", "standby", "n1"]);
    await deployment.becomes(
      "without n1 its service is on the first standby host, n3",
      30_000,
      async () => (await shopOn("n3")) && (await mailOn("n2")),
    );
    cluster.say("power off n3");
    await cluster.off("n3");
    await deployment.becomes("after the power cut of n3 it is on the second, n4", 60_000, () => shopOn("n4"));
    await deployment.becomes("the other service was left alone", 10_000, () => mailOn("n2"));
    await cluster.on("n3");
    await deployment.becomes("with n3 back it is on the first again", 90_000, () => shopOn("n3"));
    await deployment.settled();
    await cluster.quorate("n2", ["-w", "node", "online", "n1"]);
    await deployment.becomes("with n1 online it is at home", 30_000, async () => (await shopOn("n1")) && (await mailOn("n2")));
  },
};
