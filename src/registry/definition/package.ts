import { optionalArguments, type Argument } from "./argument.ts";
import { namedValues, optionalEnvironment, type NamedInput } from "./input.ts";
import {
  advise,
  isPresent,
  members,
  optionalChoice,
  optionalText,
  present,
  report,
  requiredText,
  type Place,
} from "./place.ts";
import { readPackageTransport, type PackageTransport } from "./transport.ts";
import { checkPublicUrl } from "./url.ts";
import { optionalVersion } from "./version.ts";

const REGISTRY_TYPES = ["npm", "pypi", "oci", "nuget", "mcpb", "cargo"] as const;
type RegistryType = (typeof REGISTRY_TYPES)[number];

/** A package from which users run the server on their own machine. */
export interface Package {
  registryType: RegistryType;
  registryBaseUrl?: string;
  identifier: string;
  version?: string;
  fileSha256?: string;
  runtimeHint?: string;
  transport: PackageTransport;
  runtimeArguments?: Argument[];
  packageArguments?: Argument[];
  environmentVariables?: NamedInput[];
}

interface IdentifierRule {
  max: number;
  is: RegExp;
  said: string;
}

/** Name rules of each ecosystem. No name begins with a hyphen: a command line would read it as an option. */
const IDENTIFIERS: Readonly<Record<"npm" | "pypi" | "nuget" | "cargo", IdentifierRule>> = {
  npm: {
    max: 214,
    is: /^(@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*$/,
    said: "Write the package's name in lower case, as name or @scope/name, without a version.",
  },
  pypi: {
    max: 214,
    is: /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/,
    said: "Write only the project's name, without extras or version.",
  },
  nuget: {
    max: 100,
    is: /^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$/,
    said: "Write only the package's id, such as Example.Server.",
  },
  cargo: {
    max: 64,
    is: /^[A-Za-z][A-Za-z0-9_-]*$/,
    said: "Write only the crate's name.",
  },
};

/** `[host[:port]/]path[:tag][@digest]` (OCI distribution specification, "Pulling manifests"). */
const IMAGE =
  /^(?:((?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d{1,5})?|[a-z0-9-]+:\d{1,5}|localhost|\[[0-9a-f:.]+\](?::\d{1,5})?)\/)?[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(@sha256:[0-9a-f]{64})?$/;

const SHELLS = /^(?:ba|z|da|k|c|tc|fi)?sh$|^(?:cmd|powershell|pwsh|busybox|env|eval|exec|sudo|xargs)(?:\.exe)?$/i;

const FIELDS = [
  "registryType",
  "registryBaseUrl",
  "identifier",
  "version",
  "fileSha256",
  "runtimeHint",
  "transport",
  "runtimeArguments",
  "packageArguments",
  "environmentVariables",
] as const;
type At = Record<(typeof FIELDS)[number], Place>;

/**
 * `allow`: hosts that may be private. `hasSplitImages`: images may have `version` and `registryBaseUrl`, as before
 * 2025-10-11.
 */
export interface PackageRules {
  allow: readonly string[];
  hasSplitImages: boolean;
}

/** Reads a package and checks its identifier and version by the rules of its registry type. */
export function readPackage(item: Place, rules: PackageRules): Package | undefined {
  const at = members(item, FIELDS);
  if (at === undefined) return undefined;
  const registryType = isPresent(at.registryType) ? optionalChoice(at.registryType, REGISTRY_TYPES) : undefined;
  const start = {
    registryBaseUrl: optionalText(at.registryBaseUrl, { min: 0, max: 2048 }) || undefined,
    identifier: requiredText(at.identifier, {
      max: 2048,
      form: { is: /^\S+$/, said: "An identifier must not contain spaces." },
    }),
    version: optionalVersion(at.version),
    fileSha256: optionalText(at.fileSha256, { max: 64, form: HASH }),
    runtimeHint: optionalText(at.runtimeHint, { max: 64, form: COMMAND }),
  };
  if (start.runtimeHint !== undefined && SHELLS.test(start.runtimeHint))
    report(
      at.runtimeHint,
      "shell_runtime",
      "A shell is not a package runtime. Name npx, uvx, docker, dnx or a similar command.",
    );
  if (start.registryBaseUrl !== undefined) checkPublicUrl(at.registryBaseUrl, start.registryBaseUrl, rules.allow);
  if (registryType !== undefined && start.identifier !== "") checkKind(registryType, at, start.identifier, rules);
  const inputs = {
    runtimeArguments: optionalArguments(at.runtimeArguments),
    packageArguments: optionalArguments(at.packageArguments),
    environmentVariables: optionalEnvironment(at.environmentVariables),
  };
  const transport = readPackageTransport(at.transport, templateVariables(inputs), rules.allow);
  return { registryType: registryType ?? "npm", ...present(start), transport, ...present(inputs) };
}

const HASH = { is: /^[0-9a-f]{64}$/, said: "Write the SHA-256 as 64 lowercase hexadecimal digits." };
const COMMAND = {
  is: /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  said: "A runtime is the name of one command, without path or arguments.",
};

function checkKind(type: RegistryType, at: At, identifier: string, rules: PackageRules): void {
  if (type === "oci") return checkImage(at, identifier, rules);
  if (type === "mcpb") {
    forbid(at.registryBaseUrl, "The identifier is the full URL of the bundle: remove registryBaseUrl.");
    isPresent(at.fileSha256, "Clients verify the bundle with it before they run it.");
    return checkPublicUrl(at.identifier, identifier, rules.allow);
  }
  const { max, is, said } = IDENTIFIERS[type];
  if (identifier.length > max) report(at.identifier, "too_long", `At most ${max} characters are allowed here.`);
  else if (!is.test(identifier)) report(at.identifier, "form", said);
  if (at.version.value === undefined)
    advise(at.version, "required", "This field is required. Write the exact version of the package.");
}

function checkImage(at: At, identifier: string, { allow, hasSplitImages }: PackageRules): void {
  const match = identifier.length <= 512 ? IMAGE.exec(identifier) : null;
  if (match === null)
    return report(at.identifier, "form", "Write an image reference, such as registry.example.com/team/server:1.2.0.");
  const [, host, tag, digest] = match;
  if (host !== undefined) checkPublicUrl(at.identifier, `https://${host}/`, allow);
  forbid(at.fileSha256, "An image is pinned by its digest: write @sha256:… at the end of the identifier.");
  if (hasSplitImages && at.version.value !== undefined) return;
  forbid(at.registryBaseUrl, "Write the registry's host at the start of the identifier instead.");
  forbid(at.version, "Write the version as the tag of the identifier instead.");
  if (tag === undefined && digest === undefined)
    report(at.identifier, "required", "Name the version: end the identifier with :tag or @sha256:….");
  if (tag?.toLowerCase() === "latest" && digest === undefined)
    report(at.identifier, "version_reserved", 'The tag "latest" changes over time. Name a version or a digest.');
}

function forbid(place: Place, problem: string): void {
  if (place.value !== undefined) report(place, "forbidden_field", problem);
}

/**
 * Variables that a package's transport URL may contain: names of environment variables and arguments, and value hints
 * (schema, `url`).
 */
function templateVariables(inputs: {
  runtimeArguments: Argument[] | undefined;
  packageArguments: Argument[] | undefined;
  environmentVariables: NamedInput[] | undefined;
}): Map<string, readonly string[]> {
  const named = [
    ...(inputs.environmentVariables ?? []),
    ...(inputs.runtimeArguments ?? []),
    ...(inputs.packageArguments ?? []),
  ];
  const pairs = named.flatMap((input) =>
    [input.name, "valueHint" in input ? input.valueHint : undefined]
      .filter((name) => name !== undefined)
      .map((name) => [name, namedValues(input)] as const),
  );
  return new Map(pairs);
}
