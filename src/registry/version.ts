/** Semantic Versioning 2.0.0, with an optional leading `v`, which the official registry accepts. */
const SEMVER =
  /^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;

/**
 * A parsed semantic version. Numbers stay decimal text, because they have no upper bound. Build metadata has no
 * precedence and is dropped.
 */
export interface SemanticVersion {
  core: readonly [major: string, minor: string, patch: string];
  prerelease: readonly string[];
}

/** Maximum length of a version (`server.json`: 255 characters). */
export const MAX_VERSION_LENGTH = 255;

/** Parses a semantic version; undefined for other text, such as `1.0` or `2025-11`. */
export function parseSemanticVersion(text: string): SemanticVersion | undefined {
  const match = text.length <= MAX_VERSION_LENGTH ? SEMVER.exec(text) : null;
  if (match === null) return undefined;
  const [, major = "", minor = "", patch = "", prerelease] = match;
  return { core: [major, minor, patch], prerelease: prerelease === undefined ? [] : prerelease.split(".") };
}

/**
 * Compares by Semantic Versioning 2.0.0 §11: negative, zero or positive when `a` is lower than, equal to or higher than
 * `b`.
 */
export function compareSemanticVersions(a: SemanticVersion, b: SemanticVersion): number {
  for (const index of [0, 1, 2] as const) {
    const order = compareNumbers(a.core[index], b.core[index]);
    if (order !== 0) return order;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) {
    return Number(a.prerelease.length === 0) - Number(b.prerelease.length === 0);
  }
  for (const [index, left] of a.prerelease.entries()) {
    const right = b.prerelease[index];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.prerelease.length - b.prerelease.length;
}

const isNumber = (text: string) => /^\d+$/.test(text);
const compareTexts = (a: string, b: string) => Number(a > b) - Number(a < b);
/** Compares decimal numbers of any size, without leading zeros. */
const compareNumbers = (a: string, b: string) => a.length - b.length || compareTexts(a, b);

function compareIdentifiers(a: string, b: string): number {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  return compareTexts(a, b);
}

/** A published version of a server. The time is in epoch milliseconds. */
export interface Release {
  version: string;
  publishedAt: number;
}

/**
 * Whether `a` is later than `b`: two semantic versions by precedence, two other versions by the time of publishing, and
 * a semantic version always before another one. Ties go to the one published later, then to the greater text, so that
 * any set has exactly one latest version.
 */
export function isNewer(a: Release, b: Release): boolean {
  const left = parseSemanticVersion(a.version);
  const right = parseSemanticVersion(b.version);
  if ((left === undefined) !== (right === undefined)) return left !== undefined;
  const order = left !== undefined && right !== undefined ? compareSemanticVersions(left, right) : 0;
  return (order || a.publishedAt - b.publishedAt || compareTexts(a.version, b.version)) > 0;
}

const COMPARATOR = /^(?:[\^~=]|[<>!]=?)/;
const SEVERAL = /\s-\s|\|\||[\s,][v\d^~<>=*]/;
const INTERVAL = /^[[(].*[\])]$/;

/**
 * Whether a text is a version range (`^1.2`, `>=1 <2`, `1.x`, `*`, `1.0 - 2.0`, `[1.0,2.0)`) rather than one version.
 */
export function isVersionRange(untrimmed: string): boolean {
  const text = untrimmed.trim();
  if (COMPARATOR.test(text) || SEVERAL.test(text) || INTERVAL.test(text)) return true;
  const parts = text.replace(/^v/i, "").split(/[-+]/, 1)[0]?.split(".") ?? [];
  return parts.every((part) => /^(?:\d+|[xX*])$/.test(part)) && parts.some((part) => !isNumber(part));
}

/**
 * Letters, digits and characters of versions in the known ecosystems; none has a meaning in a path, a page or a command
 * line.
 */
const SPECIFIC = /^[0-9A-Za-z][0-9A-Za-z._+~:!-]*$/;

/**
 * Why a text is not one version: the reserved word `latest`, a range, or characters that versions do not have.
 * Undefined if it is one.
 */
export function versionFault(text: string): "version_reserved" | "version_range" | "form" | undefined {
  if (text.trim().toLowerCase() === "latest") return "version_reserved";
  if (isVersionRange(text)) return "version_range";
  return SPECIFIC.test(text) ? undefined : "form";
}
