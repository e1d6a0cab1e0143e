/** Bytes queued for one peer; above it the oldest messages that are no votes are dropped (RAFT.md §6, limits). */
export const SEND_QUEUE_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes handed to the socket and not yet to the kernel before data waits in our own queue, where lanes can overtake. */
export const SOCKET_BYTES_MAX = 64 * 1024;
/** The same for urgent messages. */
export const SOCKET_URGENT_BYTES_MAX = 128 * 1024;
/** Rings (addresses of one member). */
export const RINGS_MAX = 8;
/** Connections of all kinds on the TLS port. */
export const CONNECTIONS_MAX = 512;
/** TCP, TLS, upgrade and hello together, milliseconds. */
export const CONNECT_TIMEOUT_MS = 2_000;
/** First pause before a new attempt, milliseconds; doubles up to the maximum; a random half is taken off. */
export const BACKOFF_MIN_MS = 50;
export const BACKOFF_MAX_MS = 1_000;
/** The maximum towards a peer that refuses us by name: it will dial itself once it thinks better of us, milliseconds. */
export const BACKOFF_REJECTED_MAX_MS = 15_000;
/** The same refusal is told once, and again at most this often with how often it came meanwhile, milliseconds. */
export const SAY_AGAIN_MS = 60_000;
/** Different refusals that are remembered for that. */
export const SAID_MAX = 256;
/** The larger id waits this much longer, so that two ends seldom dial at once, milliseconds. */
export const SECOND_DIALLER_MS = 60;
/** Two links of one pair younger than this come from such a race: the one dialled by the smaller id stays, milliseconds. */
export const RACE_MS = 2_000;
/** Looking at the paths of members with several rings, milliseconds. */
export const RINGS_TICK_MS = 25;
/** The same when every member has one address. */
export const IDLE_TICK_MS = 500;
/** A look that comes this much too late judges nobody: it was this process that stood still, milliseconds. */
export const LATE_TICK_MS = 50;
/** Pings on each path of a member with several rings, milliseconds: the standby must be known to work. */
export const RINGS_PING_MS = 50;
/** Pings on an only path that is silent, milliseconds. */
export const IDLE_PING_MS = 500;
/**
 * Messages move to another ring when theirs was silent this long and the other was heard since, milliseconds. With the
 * pings and one heartbeat it stays under the shortest election timeout (300 ms): a cut ring costs no election.
 */
export const RING_SILENT_MS = 110;
/** A path that is silent this long is half open: it is closed and dialled anew, milliseconds. */
export const PATH_DEAD_MS = 2_500;
/** Log lines about refusals: a burst, then so many a second; the rest is counted. */
export const REFUSAL_LINES_BURST = 20;
export const REFUSAL_LINES_PER_SECOND = 2;
