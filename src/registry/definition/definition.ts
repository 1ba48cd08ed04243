import { isObject } from "../../platform/json.ts";
import { readPackage, type Package } from "./package.ts";
import {
  isPresent,
  members,
  optionalChoice,
  optionalList,
  optionalText,
  present,
  report,
  requiredText,
  type Place,
} from "./place.ts";
import { isBounded, jsonBytes } from "./size.ts";
import { readRemote, type Remote } from "./transport.ts";
import { optionalLink, requiredLink } from "./url.ts";
import { optionalVersion } from "./version.ts";
import { MAX_NAME_LENGTH, parseName } from "../name.ts";
import type { DefinitionProblem, Findings } from "./problem.ts";

/** The key in `_meta` of a `server.json` under which publishers may put any data, for other registries. */
export const PUBLISHER_META = "io.modelcontextprotocol.registry/publisher-provided";

const MAX_PUBLISHER_META_BYTES = 4096;
const MAX_ENTRIES = 32;

const SCHEMA = /^https:\/\/static\.modelcontextprotocol\.io\/schemas\/(\d{4}-\d{2}-\d{2})\/server\.schema\.json$/;
/**
 * Schema versions whose files can be checked by the rules of the newest one. 2025-07-09 had other field names
 * (snake_case).
 */
const SCHEMA_DATES = ["2025-09-16", "2025-09-29", "2025-10-11", "2025-10-17", "2025-12-11"];
/** Since this schema version, the version of an OCI image is part of its identifier. */
const WHOLE_IMAGES = "2025-10-11";

/** The schema of a definition that has no `$schema`. */
export const CURRENT_SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";

/** An icon. SVG is linked, never embedded: pages show icons in `img` elements, where scripts do not run. */
export interface Icon {
  src: string;
  mimeType?: (typeof ICON_TYPES)[number];
  sizes?: string[];
  theme?: "light" | "dark";
}

/** The source code repository. */
export interface Repository {
  url: string;
  source: string;
  id?: string;
  subfolder?: string;
}

/**
 * A checked `server.json` (2025-12-11). It has known fields only, in this order, and is safe to store and to send as
 * JSON.
 */
export interface ServerDefinition {
  $schema: string;
  name: string;
  title?: string;
  description: string;
  version: string;
  repository?: Repository;
  websiteUrl?: string;
  icons?: Icon[];
  remotes?: Remote[];
  packages?: Package[];
  _meta?: { [PUBLISHER_META]?: Record<string, unknown> };
}

/**
 * The result of a check. `remarks`: problems that are tolerated in a mirrored file. `dropped`: pointers to fields that
 * the schema allows but this registry does not know and therefore does not store.
 */
export type DefinitionCheck =
  | { definition: ServerDefinition; remarks: DefinitionProblem[]; dropped: string[] }
  | { problems: DefinitionProblem[] };

/**
 * `allow` lists the non-public `host:port` that remotes and packages may point to (development). `isMirrored`: the file
 * comes from another registry, so problems of style are only remarks; the rules of form, size and safety apply as
 * usual.
 */
export interface DefinitionRules {
  allow?: readonly string[];
  isMirrored?: boolean;
}

/**
 * Checks a `server.json`. Returns its normal form, or all problems at once (at most 50), always in the same order.
 * Never throws for input that is JSON.
 */
export function checkDefinition(
  input: unknown,
  { allow = [], isMirrored = false }: DefinitionRules = {},
): DefinitionCheck {
  const findings: Findings = { isMirrored, problems: [], remarks: [], dropped: [] };
  const root: Place = { value: input, pointer: "", findings };
  const definition = isBounded(root) ? readDefinition(root, allow) : undefined;
  if (definition === undefined || findings.problems.length > 0) return { problems: findings.problems };
  return { definition, remarks: findings.remarks, dropped: findings.dropped };
}

function readDefinition(root: Place, allow: readonly string[]): ServerDefinition | undefined {
  const at = members(root, [
    "$schema",
    "name",
    "title",
    "description",
    "version",
    "repository",
    "websiteUrl",
    "icons",
    "remotes",
    "packages",
    "_meta",
  ]);
  if (at === undefined) return undefined;
  const $schema = readSchema(at.$schema);
  const hasSplitImages = root.findings.isMirrored || (SCHEMA.exec($schema)?.[1] ?? WHOLE_IMAGES) < WHOLE_IMAGES;
  return present({
    $schema,
    name: requiredText(at.name, { min: 3, max: MAX_NAME_LENGTH, form: NAME }),
    title: optionalText(at.title, { max: 100 }),
    description: requiredText(at.description, { max: 100 }),
    version: (isPresent(at.version) ? optionalVersion(at.version) : undefined) ?? "",
    repository: optionalRepository(at.repository),
    websiteUrl: optionalLink(at.websiteUrl),
    icons: optionalList(at.icons, MAX_ENTRIES, readIcon),
    remotes: optionalList(at.remotes, MAX_ENTRIES, (item) => readRemote(item, allow)),
    packages: optionalList(at.packages, MAX_ENTRIES, (item) => readPackage(item, { allow, hasSplitImages })),
    _meta: optionalMeta(at._meta),
  });
}

const NAME = {
  is: (text: string) => parseName(text) !== undefined,
  said: "A name is namespace/server, such as com.example/weather. It has letters, digits, . and - (after the slash also _), and each part begins and ends with a letter or digit.",
};

function readSchema(place: Place): string {
  const text = optionalText(place, { max: 255 });
  if (text === undefined) return CURRENT_SCHEMA;
  if (!SCHEMA_DATES.includes(SCHEMA.exec(text)?.[1] ?? ""))
    report(
      place,
      "unsupported_schema",
      `This registry supports the schemas of ${SCHEMA_DATES.join(", ")}. Use ${CURRENT_SCHEMA}.`,
    );
  return text;
}

const SOURCE = { is: /^[A-Za-z0-9][A-Za-z0-9._-]*$/, said: "Name the hosting service, such as github or gitlab." };
const SUBFOLDER = {
  is: (text: string) => text.split("/").every((part) => /^[A-Za-z0-9._@-]+$/.test(part) && !/^\.\.?$/.test(part)),
  said: "Write a path below the repository's root, such as packages/server.",
};
const FORGES: Readonly<Record<string, RegExp>> = {
  github: /^https:\/\/(www\.)?github\.com\/[\w.-]+\/[\w.-]+\/?$/,
  gitlab: /^https:\/\/(www\.)?gitlab\.com\/[\w.-]+(\/[\w.-]+)+\/?$/,
};

/**
 * Reads the repository. Undefined also when both required fields are missing or empty: publishing tools write "none"
 * like this.
 */
function optionalRepository(place: Place): Repository | undefined {
  const { value } = place;
  if (value === undefined || (isObject(value) && !value["url"] && !value["source"])) return undefined;
  const at = members(place, ["url", "source", "id", "subfolder"]);
  if (at === undefined) return undefined;
  const before = place.findings.problems.length;
  const url = requiredLink(at.url);
  const source = requiredText(at.source, { max: 64, form: SOURCE });
  const form = Object.hasOwn(FORGES, source) ? FORGES[source] : undefined;
  if (place.findings.problems.length === before && form?.test(url) === false)
    report(
      at.url,
      "form",
      `This is not the URL of a ${source} repository. Correct the URL, or name the right hosting service as source.`,
    );
  const id = optionalText(at.id, { min: 0, max: 255 });
  const subfolder = at.subfolder.value === "" ? undefined : optionalText(at.subfolder, { max: 255, form: SUBFOLDER });
  return { url, source, ...present({ id, subfolder }) };
}

const ICON_TYPES = ["image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp"] as const;
const SIZE = { is: /^(\d{1,5}x\d{1,5}|any)$/, said: "A size is written 48x48, or any." };

function readIcon(item: Place): Icon | undefined {
  const at = members(item, ["src", "mimeType", "sizes", "theme"]);
  if (at === undefined) return undefined;
  const src = requiredLink(at.src, 255);
  return {
    src,
    ...present({
      mimeType: optionalChoice(at.mimeType, ICON_TYPES),
      sizes: optionalList(at.sizes, MAX_ENTRIES, (size) => optionalText(size, { max: 20, form: SIZE })),
      theme: optionalChoice(at.theme, ["light", "dark"]),
    }),
  };
}

/** Only the publisher-provided part of `_meta` is stored. The rest belongs to registries, which write their own. */
function optionalMeta(place: Place): ServerDefinition["_meta"] | undefined {
  if (place.value === undefined) return undefined;
  const own = members(place, [PUBLISHER_META])?.[PUBLISHER_META];
  if (own?.value === undefined) return undefined;
  if (!isObject(own.value)) {
    report(own, "wrong_type", "This must be an object.");
    return undefined;
  }
  const bytes = jsonBytes(own.value);
  if (bytes > MAX_PUBLISHER_META_BYTES)
    report(own, "too_large", `At most ${MAX_PUBLISHER_META_BYTES} bytes of JSON are allowed here; there are ${bytes}.`);
  return { [PUBLISHER_META]: JSON.parse(JSON.stringify(own.value)) as Record<string, unknown> };
}
