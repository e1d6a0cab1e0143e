const DAY_MS = 86_400_000;
/** Life of a member's certificate, milliseconds. It renews itself at two thirds of it. */
export const CERTIFICATE_LIFE_MS = 90 * DAY_MS;
/** Life of the cluster's authority, milliseconds. */
export const AUTHORITY_LIFE_MS = 20 * 365 * DAY_MS;
/** Certificates begin this much in the past, so that a node whose clock is behind accepts them, milliseconds. */
export const CLOCK_ALLOWANCE_MS = 3_600_000;
