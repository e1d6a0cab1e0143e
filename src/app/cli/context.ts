import { type ApiClient, ApiFault, connectApi, exactlyOnce } from "../../io/api/index.ts";
import { type CliContext, type CliMode, type CliOptions, CommandError } from "./level.ts";
import { DEFAULT_PREFERENCES, isOn, type Preferences } from "./preferences.ts";
import { asRecord } from "./store.ts";
import type { Terminal } from "./terminal.ts";

/** Where the daemon listens unless `--socket` or QUORATE_SOCKET says otherwise. */
export const DEFAULT_SOCKET = "/run/quorate/api.sock";

/** One `wait.idle` request asks for at most this long, milliseconds; waiting goes on until idle. */
const WAIT_ROUND_MS = 30_000;

/** A context of the process: one connection, opened at first use, closed by `close`. */
export function openContext(
  terminal: Terminal,
  mode: CliMode,
  options: CliOptions,
  preferences: Preferences = DEFAULT_PREFERENCES,
): CliContext & { close(): void } {
  let client: Promise<ApiClient> | null = null;
  const api = async (): Promise<ApiClient> => {
    if (context.interrupted) throw new CommandError("interrupted");
    client ??= connected(options.socketPath).catch((error: unknown) => {
      client = null;
      throw error;
    });
    return client;
  };
  const context: CliContext & { close(): void } = {
    terminal,
    mode,
    options,
    preferences,
    api,
    interrupted: false,
    interrupt: () => {
      context.interrupted = true;
      context.close();
      client = null;
    },
    afterChange: async () => {
      if (
        (context.options.wait || isOn(context.preferences, "core.wait")) &&
        context.options.cibFile === null &&
        context.options.shadow === null
      )
        await waitIdle(context);
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

/** A client whose changes happen exactly once. Throws at once when nobody listens; later it connects anew by itself. */
async function connected(path: string): Promise<ApiClient> {
  const connect = (): Promise<ApiClient> => connectApi({ kind: "unix", path });
  const first = await connect();
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  return exactlyOnce({ connect, first, nowMs: () => performance.now(), pause });
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
