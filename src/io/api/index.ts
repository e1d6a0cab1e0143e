export { type Channel, lineChannel, webSocketChannel } from "./channel.ts";
export { type ApiClient, type ApiTarget, clientOver, connectApi, type Watch, type WatchEvent } from "./client.ts";
export type { ApiCall, ApiCaller, ApiHandler, ApiLog, WatchSink } from "./connection.ts";
export { type ExactlyOnceOptions, exactlyOnce, REPEAT_FOR_MS } from "./exactly-once.ts";
export { ApiFault, fault, toApiError } from "./fault.ts";
export {
  ANSWER_BYTES_MAX,
  BACKLOG_BYTES_MAX,
  CONNECTIONS_MAX,
  DEPTH_MAX,
  REQUEST_BYTES_MAX,
  REQUESTS_OUTSTANDING_MAX,
  WATCH_BACKLOG_BYTES_MAX,
  WATCHES_MAX,
} from "./limits.ts";
export { type ApiServer, type ApiServerOptions, createApiServer } from "./server.ts";
export { commitEdits, STAGE_ABOVE_CHARS } from "./staged.ts";
