import type { Address } from "./types.ts";

/** Splits `host:port` or `[v6]:port`; null when it is neither. Zone ids are not addresses that a member may have. */
export function parseAddress(address: Address): { readonly host: string; readonly port: number } | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:]+)):([0-9]{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}

/** The reverse of `parseAddress`. */
export function formatAddress(host: string, port: number): Address {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
