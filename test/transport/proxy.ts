import { connect, createServer, type Socket } from "node:net";

/** A stretch of cable between two members that a test can cut without either end being told. */
export type Cable = {
  readonly address: string;
  /** Both ways: nothing is delivered, nothing is closed. */
  cut(): void;
  /** Only what the dialled end sends is lost. */
  cutReplies(): void;
  mend(): void;
  close(): Promise<void>;
};

export async function layCable(target: string): Promise<Cable> {
  const [host, port] = target.split(":");
  const pairs = new Set<{ readonly near: Socket; readonly far: Socket }>();
  let isForwardCut = false;
  let isBackwardCut = false;
  const server = createServer((near) => {
    const far = connect({ host: host!, port: Number(port) });
    const pair = { near, far };
    pairs.add(pair);
    near.on("data", (data) => void (isForwardCut || far.write(data)));
    far.on("data", (data) => void (isBackwardCut || near.write(data)));
    const end = (from: Socket, to: Socket) => (): void => {
      if (!isForwardCut && !isBackwardCut) to.destroy();
      from.destroy();
      pairs.delete(pair);
    };
    near.on("close", end(near, far));
    far.on("close", end(far, near));
    near.on("error", () => {});
    far.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${bound.port}`,
    cut: () => {
      isForwardCut = true;
      isBackwardCut = true;
    },
    cutReplies: () => {
      isBackwardCut = true;
    },
    mend: () => {
      isForwardCut = false;
      isBackwardCut = false;
      // What was in flight is lost, so the streams are of no use any more.
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
    },
    close: () =>
      new Promise((resolve) => {
        for (const { near, far } of pairs) {
          near.destroy();
          far.destroy();
        }
        server.close(() => resolve());
      }),
  };
}
