import { connectApi } from "../../src/io/api/index.ts";
import { cpuSecondsOf } from "./cpu.ts";

/** One connection of a loader. `put` resolves when the write is acknowledged; `number` differs in every call. */
export type LoadConnection = { put(number: number): Promise<void>; close(): void };

export type LoadOptions = {
  readonly connect: () => Promise<LoadConnection>;
  /** Requests under way at any time; each client waits for its answer before it asks again. */
  readonly clients: number;
  /** Clients are spread over this many connections. */
  readonly connections: number;
  readonly seconds: number;
  /** The processes that serve. */
  readonly pids: readonly number[];
};

/** Latencies in milliseconds, unsorted; `failed` counts refusals and lost connections. */
export type LoadSamples = {
  readonly latenciesMs: readonly number[];
  readonly seconds: number;
  readonly failed: number;
  /** Requests of the warm-up too, and the CPU that the servers spent on all of them, seconds. */
  readonly total: number;
  readonly cpuSeconds: number;
};

export type LoadResult = {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** CPU of all servers together for one request, microseconds; says what a busy machine leaves true. */
  readonly cpuMicroseconds: number;
};

/** The value below which the share `part` of the sorted numbers lies. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** A closed loop of clients for some seconds, after a tenth of that time to warm up. */
export async function runLoad(options: LoadOptions): Promise<LoadSamples> {
  const connections = await Promise.all(Array.from({ length: options.connections }, () => options.connect()));
  const latenciesMs: number[] = [];
  const cpuBefore = cpuSecondsOf(options.pids);
  let failed = 0;
  let number = 0;
  const startMs = performance.now() + options.seconds * 100;
  const endMs = startMs + options.seconds * 1000;
  const client = async (at: number): Promise<void> => {
    const connection = connections[at % connections.length]!;
    while (performance.now() < endMs) {
      const askedMs = performance.now();
      number += 1;
      try {
        await connection.put(number);
        const answeredMs = performance.now();
        if (askedMs >= startMs && answeredMs <= endMs) latenciesMs.push(answeredMs - askedMs);
      } catch {
        // Counted, not hidden: a bench with failures is no bench.
        failed += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: options.clients }, (_, at) => client(at)));
  for (const connection of connections) connection.close();
  return { latenciesMs, seconds: options.seconds, failed, total: number, cpuSeconds: cpuSecondsOf(options.pids) - cpuBefore };
}

/** Several rounds as one. */
export function summarise(rounds: readonly LoadSamples[]): LoadResult {
  const sorted = rounds.flatMap((round) => round.latenciesMs).sort((a, b) => a - b);
  const seconds = rounds.reduce((sum, round) => sum + round.seconds, 0);
  return {
    requests: sorted.length,
    failed: rounds.reduce((sum, round) => sum + round.failed, 0),
    perSecond: sorted.length / seconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? Number.NaN,
    cpuMicroseconds: (1e6 * rounds.reduce((sum, round) => sum + round.cpuSeconds, 0)) / rounds.reduce((sum, round) => sum + round.total, 0),
  };
}

/** One line for people. */
export function formatLoad(name: string, result: LoadResult): string {
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  const failures = result.failed === 0 ? "" : `, ${result.failed} FAILED`;
  return `${name}: ${result.perSecond.toFixed(0)}/s, p50 ${ms(result.p50Ms)}, p99 ${ms(result.p99Ms)}, max ${ms(result.maxMs)}, CPU ${result.cpuMicroseconds.toFixed(0)} us${failures}`;
}

/** A loader's connection over the local API of a daemon or of the skeleton. */
export async function apiConnection(socketPath: string, method: string, params: (number: number) => unknown): Promise<LoadConnection> {
  const client = await connectApi({ kind: "unix", path: socketPath });
  return {
    put: async (number) => {
      await client.request(method, params(number));
    },
    close: () => client.close(),
  };
}
