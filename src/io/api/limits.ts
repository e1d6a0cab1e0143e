/** One request, bytes of UTF-8. A larger configuration goes through a staged upload. */
export const REQUEST_BYTES_MAX = 4 * 1024 * 1024;
/** Requests of one connection that wait for their answer. */
export const REQUESTS_OUTSTANDING_MAX = 256;
/** Watches of one connection. */
export const WATCHES_MAX = 64;
/** Connections of one server; the next one is answered with `API_BUSY` and closed. */
export const CONNECTIONS_MAX = 512;
/** Bytes a connection may leave unread before its watches lose events and get a `reset` instead. */
export const WATCH_BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes a connection may leave unread before the server closes it: it asks and does not listen. */
export const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;
/** Levels of arrays and objects in a request, so that no reader of parameters can run out of stack. */
export const DEPTH_MAX = 256;
/** One answer or event, bytes; the client closes the connection on a larger one. */
export const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
/** Milliseconds a client waits for the connection to open. */
export const CONNECT_TIMEOUT_MS = 5_000;
