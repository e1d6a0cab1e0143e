/** Facts of a log line. Secrets, parameters of agents and keys never go in. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where a room tells its story. `error` needs a person, `warn` may soon, `info` tells the story the morning after,
 * `debug` is for us. A pino logger fits as it is.
 */
export interface Log {
  error(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
}

/** A log that keeps nothing. */
export const silentLog: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
