import { VirtualServices } from "../../src/app/sim/agents.ts";
import { GuardianMemory, VirtualGuardian as SimulatedGuardian } from "../../src/app/sim/guardian.ts";
import { HostClock, VirtualTime } from "../../src/app/sim/time.ts";
import { incarnation, seededRandom } from "../../src/core/base/index.ts";
import type { FromGuardian, ToGuardian } from "../../src/core/ports/index.ts";
import { monotonicMs } from "../../src/io/executor/index.ts";
import { type ContractSubject, guardianContract } from "./contract.ts";
import { Conversation, GuardianUnderTest } from "./support.ts";
import { VirtualGuardian } from "./virtual.ts";

const HELLO = { kind: "hello", protocol: 1, node: "n1", daemonBoot: 1 } as const;

guardianContract("the core on a virtual clock", async (): Promise<ContractSubject> => {
  const guardian = new VirtualGuardian();
  let link = 0;
  let taken = 0;
  const next = async (fits: (message: FromGuardian) => boolean): Promise<FromGuardian> => {
    for (;;) {
      while (taken < guardian.heard.length) {
        const item = guardian.heard[taken];
        taken += 1;
        if (item !== undefined && item.link === link && fits(item.message)) return item.message;
      }
      if (!guardian.advance()) throw new Error("nothing will happen any more");
    }
  };
  return {
    hello: async (over = {}) => {
      link += 1;
      guardian.say({ ...HELLO, ...over }, link);
      return next((message) => message.kind === "welcome" || message.kind === "rejected");
    },
    send: (message: ToGuardian) => guardian.say(message, link),
    next: async <Kind extends FromGuardian["kind"]>(kind: Kind) =>
      (await next((message) => message.kind === kind)) as Extract<FromGuardian, { readonly kind: Kind }>,
    nowMs: () => guardian.nowMs,
    dispose: async () => {},
  };
});

guardianContract("the simulator's", async (): Promise<ContractSubject> => {
  const time = new VirtualTime();
  const clock = new HostClock(time, 1_000);
  const heard: { readonly link: number; readonly message: FromGuardian }[] = [];
  const guardian = new SimulatedGuardian(
    {
      time,
      clock,
      services: new VirtualServices(seededRandom(1), () => {}),
      fence: () => {
        throw new Error("nobody is fenced here");
      },
      toDaemon: (link, message) => void heard.push({ link, message }),
      closeLink: () => {},
      onSpawn: () => {},
      onReset: () => {},
      log: () => {},
    },
    {
      node: "n1",
      incarnation: incarnation("boot-1"),
      stopMs: 3_000,
      killMs: 500,
      pauseMs: 1_000,
      selfFence: "kill",
      watchdogMs: null,
    },
    new GuardianMemory(),
  );
  let link = 0;
  let taken = 0;
  const next = async (fits: (message: FromGuardian) => boolean): Promise<FromGuardian> => {
    for (;;) {
      while (taken < heard.length) {
        const item = heard[taken];
        taken += 1;
        if (item !== undefined && item.link === link && fits(item.message)) return item.message;
      }
      if (time.step(time.nowMs + 3_600_000) === null) throw new Error("nothing will happen any more");
    }
  };
  return {
    hello: async (over = {}) => {
      link += 1;
      guardian.say(link, { ...HELLO, ...over });
      return next((message) => message.kind === "welcome" || message.kind === "rejected");
    },
    send: (message: ToGuardian) => guardian.say(link, message),
    next: async <Kind extends FromGuardian["kind"]>(kind: Kind) =>
      (await next((message) => message.kind === kind)) as Extract<FromGuardian, { readonly kind: Kind }>,
    nowMs: () => clock.nowMs(),
    dispose: async () => {},
  };
});

guardianContract("the process", async (): Promise<ContractSubject> => {
  const guardian = new GuardianUnderTest();
  await guardian.start();
  let link: Conversation | null = null;
  const current = (): Conversation => {
    if (link === null) throw new Error("hello comes first");
    return link;
  };
  return {
    hello: async (over = {}) => {
      link = new Conversation(guardian.socketPath);
      link.send({ ...HELLO, ...over });
      return link.first((message) => message.kind === "welcome" || message.kind === "rejected", "an answer to hello");
    },
    send: (message) => current().send(message),
    next: (kind) => current().next(kind),
    nowMs: monotonicMs,
    dispose: async () => {
      link?.socket.destroy();
      await guardian.dispose();
    },
  };
});
