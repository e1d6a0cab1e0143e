import { type ApiClient, ApiFault, connectApi } from "../../io/api/index.ts";
import type { CliContext, CliMode, CliOptions } from "./level.ts";
import { asRecord } from "./store.ts";
import type { Terminal } from "./terminal.ts";

/** Where the daemon listens unless `--socket` or QUORATE_SOCKET says otherwise. */
export const DEFAULT_SOCKET = "/run/quorate/api.sock";

/** One `wait.idle` request asks for at most this long, milliseconds; waiting goes on until idle. */
const WAIT_ROUND_MS = 30_000;

/** A context of the process: one connection, opened at first use, closed by `close`. */
export function openContext(terminal: Terminal, mode: CliMode, options: CliOptions): CliContext & { close(): void } {
  let client: Promise<ApiClient> | null = null;
  const api = async (): Promise<ApiClient> => {
    if (client !== null && !(await client).closed) return client;
    client = connectApi({ kind: "unix", path: options.socketPath });
    client.catch(() => {
      client = null;
    });
    return client;
  };
  const context: CliContext & { close(): void } = {
    terminal,
    mode,
    options,
    api,
    afterChange: async () => {
      if (context.options.wait && context.options.cibFile === null && context.options.shadow === null) await waitIdle(context);
    },
    close: () => {
      client?.then(
        (open) => open.close(),
        () => {},
      );
    },
  };
  return context;
}

/** Waits until the transition that follows from the present state is done, however long that takes. */
export async function waitIdle(context: CliContext, onRound: () => void = () => {}): Promise<void> {
  for (;;) {
    try {
      const api = await context.api();
      const answer = asRecord(await api.request("wait.idle", { timeoutMs: WAIT_ROUND_MS }));
      if (answer["idle"] === true) return;
    } catch (error) {
      if (!(error instanceof ApiFault) || !error.detail.retryable || error.detail.code === "API_UNREACHABLE") throw error;
    }
    onRound();
  }
}
