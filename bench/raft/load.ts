import { connectApi } from "../../src/io/api/index.ts";

export type LoadOptions = {
  readonly socketPath: string;
  readonly method: string;
  /** Parameters of the n-th request. */
  readonly params: (number: number) => unknown;
  /** Requests under way at any time; each client waits for its answer before it asks again. */
  readonly clients: number;
  /** Clients are spread over this many connections. */
  readonly connections: number;
  readonly seconds: number;
};

export type LoadResult = {
  readonly clients: number;
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
};

/** The value below which the share `part` of the sorted numbers lies. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** A closed loop of clients over the local API for some seconds, after a tenth of that time to warm up. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const connections = await Promise.all(
    Array.from({ length: options.connections }, () => connectApi({ kind: "unix", path: options.socketPath })),
  );
  const latencies: number[] = [];
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
        await connection.request(options.method, options.params(number));
        const answeredMs = performance.now();
        if (askedMs >= startMs && answeredMs <= endMs) latencies.push(answeredMs - askedMs);
      } catch {
        // Counted, not hidden: a bench with failures is no bench.
        failed += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: options.clients }, (_, at) => client(at)));
  for (const connection of connections) connection.close();
  latencies.sort((a, b) => a - b);
  return {
    clients: options.clients,
    requests: latencies.length,
    failed,
    perSecond: latencies.length / options.seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1) ?? Number.NaN,
  };
}

/** One line for people. */
export function formatLoad(name: string, result: LoadResult): string {
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  const failures = result.failed === 0 ? "" : `, ${result.failed} FAILED`;
  return `${name}: ${result.clients} clients, ${result.perSecond.toFixed(0)}/s, p50 ${ms(result.p50Ms)}, p99 ${ms(result.p99Ms)}, max ${ms(result.maxMs)}${failures}`;
}
