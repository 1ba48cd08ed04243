import type { FC } from "hono/jsx";

const FORMAT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });

/** A moment, in UTC: without scripts nobody here knows the reader's time zone. */
export const Time: FC<{ at: Date }> = ({ at }) => <time datetime={at.toISOString()}>{FORMAT.format(at)} UTC</time>;
