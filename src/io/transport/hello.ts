import { type MemberId, memberId } from "../../core/base/index.ts";
import { type ClusterId, countOf, Malformed, openFrame, sealFrame, textOf } from "../wire/index.ts";
import type { LinkRefusal } from "./types.ts";

/** The first frame of each end. It says again what the certificate says, and which ring and start this is. */
export type Hello = {
  readonly cluster: ClusterId;
  readonly from: MemberId;
  readonly to: MemberId;
  readonly boot: number;
  readonly ring: number;
};

export function sealHello(hello: Hello): Uint8Array {
  return sealFrame({ ...hello, kind: "hello" });
}

export type ReadHello =
  | { readonly kind: "hello"; readonly hello: Hello }
  | { readonly kind: "refused"; readonly code: LinkRefusal; readonly reason: string };

/** Reads a peer's hello and compares it with the name in its certificate. */
export function readHello(
  bytes: Uint8Array,
  wanted: { readonly cluster: ClusterId; readonly self: MemberId; readonly peer: MemberId },
): ReadHello {
  const refused = (code: LinkRefusal, reason: string): ReadHello => ({ kind: "refused", code, reason });
  const opened = openFrame(bytes);
  if (opened.kind === "refused") return refused(opened.code === "FRAME_VERSION" ? "LINK_VERSION" : "LINK_GARBAGE", opened.reason);
  const { fields } = opened;
  try {
    if (fields["kind"] !== "hello") throw new Malformed("the first frame is no hello");
    const hello = {
      cluster: textOf(fields["cluster"], "cluster", 16),
      from: memberId(countOf(fields["from"], "from")),
      to: memberId(countOf(fields["to"], "to")),
      boot: countOf(fields["boot"], "boot"),
      ring: countOf(fields["ring"], "ring"),
    };
    if (hello.cluster !== wanted.cluster) return refused("LINK_OTHER_CLUSTER", `the peer is of cluster ${hello.cluster}`);
    if (hello.from !== wanted.peer) return refused("LINK_OTHER_MEMBER", `certificate of member ${wanted.peer}, hello of ${hello.from}`);
    if (hello.to !== wanted.self) return refused("LINK_OTHER_MEMBER", `the peer wants member ${hello.to}, this is ${wanted.self}`);
    return { kind: "hello", hello };
  } catch (cause) {
    return refused("LINK_GARBAGE", cause instanceof Error ? cause.message : String(cause));
  }
}
