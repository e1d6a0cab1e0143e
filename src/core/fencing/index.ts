export {
  canFence,
  deviceAction,
  devicesOf,
  FENCING_TIMEOUT_DEFAULT_MS,
  FENCING_TRIES_DEFAULT,
  type FencingDevice,
  type FencingLevel,
  levelsFor,
  triesOf,
} from "./devices.ts";
export { type Silence, tsafeAtMs } from "./guard.ts";
export { FENCING_RETRY_MS, type FencingStep, nextFencingStep } from "./step.ts";
