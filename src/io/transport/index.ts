export { formatAddress, parseAddress } from "./address.ts";
export {
  memberAt,
  type RequestAnswer,
  RequestError,
  type RequestErrorCode,
  type RequestOptions,
  readJsonBody,
  requestMember,
} from "./client.ts";
export { Repeats } from "./refusals.ts";
export { createTransport, TransportError } from "./transport.ts";
export type {
  Address,
  Admission,
  LinkEvent,
  LinkRefusal,
  Mount,
  PathStats,
  Peer,
  PeerStats,
  TlsIdentity,
  Transport,
  TransportOptions,
  TransportStats,
} from "./types.ts";
