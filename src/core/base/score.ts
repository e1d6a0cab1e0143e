/** A placement score: an integer that saturates at ±`INFINITY_SCORE` (Pacemaker Explained: Scores). */
export type Score = number;

export const INFINITY_SCORE: Score = 1_000_000;

/** Sum of two scores; minus infinity wins over plus infinity (Pacemaker Explained: Infinity Math). */
export function addScores(a: Score, b: Score): Score {
  if (a <= -INFINITY_SCORE || b <= -INFINITY_SCORE) return -INFINITY_SCORE;
  if (a >= INFINITY_SCORE || b >= INFINITY_SCORE) return INFINITY_SCORE;
  return clampScore(a + b);
}

/** Brings a number into ±`INFINITY_SCORE`. */
export function clampScore(value: number): Score {
  if (value >= INFINITY_SCORE) return INFINITY_SCORE;
  if (value <= -INFINITY_SCORE) return -INFINITY_SCORE;
  return value;
}

/** `INFINITY`, `-INFINITY` or the decimal number. */
export function formatScore(score: Score): string {
  if (score >= INFINITY_SCORE) return "INFINITY";
  if (score <= -INFINITY_SCORE) return "-INFINITY";
  return String(score);
}
