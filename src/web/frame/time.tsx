import type { FC } from "hono/jsx";

const FORMAT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });

/** A time in UTC: without scripts we do not know the reader's time zone. */
export const Time: FC<{ at: Date }> = ({ at }) => <time datetime={at.toISOString()}>{FORMAT.format(at)} UTC</time>;

/** A number of seconds in words, rounded up to whole minutes from two minutes on. */
export function inWords(seconds: number): string {
  if (seconds === 1) return "1 second";
  return seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
