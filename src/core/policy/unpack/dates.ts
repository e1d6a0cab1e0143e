import type { DurationParts } from "./values.ts";

const DAY_SEC = 86_400;

/** A civil date and time in some zone, for `date_spec` (status.md 4.6). */
export type CivilTime = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly yearDay: number;
  /** Monday = 1. */
  readonly weekDay: number;
  readonly weekYear: number;
  readonly week: number;
};

/** Days since 1970-01-01 of a proleptic Gregorian date (after H. Hinnant, "chrono-compatible low-level date algorithms"). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

export function civilFromDays(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** ISO weekday of a day number: 1970-01-01 was a Thursday. */
function weekDayOf(days: number): number {
  return ((((days + 3) % 7) + 7) % 7) + 1;
}

/** Weeks of an ISO year: 53 if it begins or ends on a Thursday. */
function weeksInYear(year: number): number {
  const first = weekDayOf(daysFromCivil(year, 1, 1));
  return first === 4 || (first === 3 && isLeap(year)) ? 53 : 52;
}

/** The civil time of epoch seconds in UTC. */
export function civilTime(epochSec: number): CivilTime {
  const days = Math.floor(epochSec / DAY_SEC);
  const inDay = epochSec - days * DAY_SEC;
  const { year, month, day } = civilFromDays(days);
  const yearDay = days - daysFromCivil(year, 1, 1) + 1;
  const weekDay = weekDayOf(days);
  let week = Math.floor((yearDay - weekDay + 10) / 7);
  let weekYear = year;
  if (week < 1) {
    weekYear = year - 1;
    week = weeksInYear(weekYear);
  } else if (week > weeksInYear(year)) {
    weekYear = year + 1;
    week = 1;
  }
  return {
    year,
    month,
    day,
    hour: Math.floor(inDay / 3600),
    minute: Math.floor((inDay % 3600) / 60),
    second: Math.floor(inDay % 60),
    yearDay,
    weekDay,
    weekYear,
    week,
  };
}

/** Epoch seconds of a date text (status.md 2.8), null: impossible. Local time is UTC here: a cluster has no zone of its own. */
export function parseDate(text: string, nowSec: number): number | null {
  const trimmed = text.trim();
  if (trimmed === "epoch") return 0;
  const timeOnly = /^(T|)\d{2}:\d{2}/.exec(trimmed) !== null || trimmed.startsWith("T");
  if (timeOnly) {
    const time = parseTime(trimmed.replace(/^T/, ""));
    return time === null ? null : Math.floor(nowSec / DAY_SEC) * DAY_SEC + time;
  }
  const match = /^(\S+?)(?:[T\s]\s*(.*))?$/s.exec(trimmed);
  if (match === null) return null;
  const days = parseDay(match[1]!);
  if (days === null) return null;
  const rest = match[2];
  if (rest === undefined || rest === "") return days * DAY_SEC;
  const time = parseTime(rest);
  return time === null ? null : days * DAY_SEC + time;
}

function parseDay(text: string): number | null {
  let match = /^(\d{4})-?W(\d{2})-?(\d)$/.exec(text);
  if (match !== null) {
    const year = Number(match[1]);
    const week = Number(match[2]);
    const weekDay = Number(match[3]);
    if (week < 1 || week > weeksInYear(year) || weekDay < 1 || weekDay > 7) return null;
    const january4 = daysFromCivil(year, 1, 4);
    return january4 - weekDayOf(january4) + 1 + (week - 1) * 7 + weekDay - 1;
  }
  match = /^(\d{4})-(\d{3})$/.exec(text) ?? /^(\d{4})(\d{3})$/.exec(text);
  if (match !== null) {
    const year = Number(match[1]);
    const yearDay = Number(match[2]);
    if (yearDay < 1 || yearDay > (isLeap(year) ? 366 : 365)) return null;
    return daysFromCivil(year, 1, 1) + yearDay - 1;
  }
  match = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text) ?? /^(\d{4})(\d{2})(\d{2})$/.exec(text);
  if (match === null) return null;
  const year = Number(match[1]);
  const month = Number(match[2]);
  const day = Number(match[3]);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null;
  return daysFromCivil(year, month, day);
}

/** Seconds since midnight UTC of a time with optional offset; may lie outside the day. */
function parseTime(text: string): number | null {
  const match = /^(\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?\s*$/i.exec(text.trim());
  if (match === null) return null;
  const hour = Number(match[1]);
  const minute = Number(match[2] ?? 0);
  const second = Number(match[3] ?? 0);
  const midnight = hour === 24 && minute === 0 && second === 0;
  if (!midnight && (hour > 23 || minute > 59 || second > 59)) return null;
  let offset = 0;
  const zone = match[4];
  if (zone !== undefined && zone.toUpperCase() !== "Z") {
    const digits = zone.slice(1).replace(":", "");
    offset = (zone.startsWith("-") ? -1 : 1) * (Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2) || 0) * 60);
  }
  return hour * 3600 + minute * 60 + second - offset;
}

/** Adds a duration calendar-wise: a day of month that does not exist becomes the last one (status.md 4.5). */
export function addDuration(epochSec: number, duration: DurationParts): number {
  const days = Math.floor(epochSec / DAY_SEC);
  const inDay = epochSec - days * DAY_SEC;
  const civil = civilFromDays(days);
  const afterYears = civil.year + duration.years;
  const dayAfterYears = Math.min(civil.day, daysInMonth(afterYears, civil.month));
  const months = civil.month - 1 + duration.months;
  const year = afterYears + Math.floor(months / 12);
  const month = (((months % 12) + 12) % 12) + 1;
  const day = Math.min(dayAfterYears, daysInMonth(year, month));
  return (
    daysFromCivil(year, month, day) * DAY_SEC +
    inDay +
    duration.weeks * 604_800 +
    duration.days * DAY_SEC +
    duration.hours * 3600 +
    duration.minutes * 60 +
    duration.seconds
  );
}
