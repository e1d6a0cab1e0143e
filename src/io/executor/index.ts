export { guardianSocketPath, monotonicMs } from "./clock.ts";
export { encodeFrame, FrameReader, GUARDIAN_FRAME_MAX_BYTES } from "./frames.ts";
export {
  EXECUTOR_QUEUE_MAX,
  type ExecutorEvent,
  type GuardianLink,
  type GuardianLinkOptions,
  linkGuardian,
  type RunRequest,
  type Welcome,
} from "./link.ts";
export { readFromGuardian, readToGuardian } from "./messages.ts";
