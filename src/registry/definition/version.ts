import { optionalText, report, type Place } from "./place.ts";
import { MAX_VERSION_LENGTH, versionFault } from "../version.ts";

const SAID = {
  version_reserved: '"latest" is reserved. Write one version, such as 1.0.0.',
  version_range: "This is a version range. Write one version, such as 1.0.0.",
  form: "A version has only letters, digits and . _ + - ~ : !, and begins with a letter or digit.",
} as const;

/** Reads a single version (not a range); undefined when it is absent. */
export function optionalVersion(place: Place): string | undefined {
  const text = optionalText(place, { max: MAX_VERSION_LENGTH });
  const fault = text === undefined ? undefined : versionFault(text);
  if (fault !== undefined) report(place, fault, SAID[fault]);
  return text;
}
