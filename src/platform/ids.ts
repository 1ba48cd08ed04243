/** UUID version 7 (RFC 9562 §5.7): sorts by creation time, so that time-ordered tables append. `now` is epoch milliseconds. */
export function uuidv7(now: number = Date.now()): string {
  const random = crypto.randomUUID();
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}
