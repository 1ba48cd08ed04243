/** A number of seconds as a person would say it, rounded up to whole minutes from two minutes on. */
export function inWords(seconds: number): string {
  if (seconds === 1) return "1 second";
  return seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
