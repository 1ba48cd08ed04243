import { optionalText, report, type Place } from "./place.ts";
import { MAX_VERSION_LENGTH, versionFault } from "../version.ts";

const SAID = {
  version_reserved: '"latest" is what clients ask for, no version: name one, such as 1.0.0.',
  version_range: "This is a range: name one version, such as 1.0.0.",
  form: "A version has letters, digits and . _ + - ~ : ! only, and begins with a letter or digit.",
} as const;

/** One version, no range, or absent. */
export function optionalVersion(place: Place): string | undefined {
  const text = optionalText(place, { max: MAX_VERSION_LENGTH });
  const fault = text === undefined ? undefined : versionFault(text);
  if (fault !== undefined) report(place, fault, SAID[fault]);
  return text;
}
