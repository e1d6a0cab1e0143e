/**
 * The request and watch API, one JSON document a message, the same over the local Unix socket and the TLS port.
 * Requests are `{v, id, method, params}`; answers `{v, id, ok: true, result}` or `{v, id, ok: false, error}`.
 * A frame of a watch is `{v, id, event, index}`. Limits: request 4 MiB, 256 requests and 64 watches a connection.
 */
export const API_VERSION = 1;

/**
 * Changes that may carry `session: {client, sequence, repeated?}` in their parameters: sent again under the same number
 * they happen once, and get the answer of the first time (docs/api.md, sessions).
 */
export const SESSION_METHODS: ReadonlySet<string> = new Set([
  "config.commit",
  "config.upload",
  "config.uploadDrop",
  "resource.cleanup",
  "resource.refresh",
  "resource.failcount",
  "node.attribute",
  "node.standby",
  "node.maintenance",
  "node.fence",
  "node.confirm",
  "node.detach",
  "cluster.votes",
  "cluster.promote",
  "cluster.demote",
  "cluster.address",
  "cluster.remove",
]);

export type ApiError = {
  /** Stable, listed in docs/errors.md. */
  readonly code: string;
  readonly message: string;
  /** Names, places and what would be right. */
  readonly detail?: unknown;
  /** May the same request succeed later, unchanged? */
  readonly retryable: boolean;
};

export type ApiRequest = { readonly v: number; readonly id: number; readonly method: string; readonly params: unknown };
export type ApiResponse =
  | { readonly v: number; readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly v: number; readonly id: number; readonly ok: false; readonly error: ApiError };

/** Longest life of a join token that may be asked for, seconds. */
export const TOKEN_LIFE_MAX_S = 7 * 86_400;
