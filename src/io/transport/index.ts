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
