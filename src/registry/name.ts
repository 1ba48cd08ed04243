/** Maximum length of a server's name (`server.json` 2025-12-11). */
export const MAX_NAME_LENGTH = 200;

const NAME = /^([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)\/([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const GITHUB = "io.github";
const GITHUB_OWNER = /^[a-z0-9](?:[a-z0-9-]{0,38})$/;

/** The two parts of a server's name: its namespace and the server within it. */
export interface ServerName {
  namespace: string;
  server: string;
}

/**
 * Parses `namespace/server`; undefined for other text. Beyond the schema, each part begins and ends with a letter or
 * digit, as the official registry requires, and the namespace has no empty label.
 */
export function parseName(name: string): ServerName | undefined {
  const match = name.length >= 3 && name.length <= MAX_NAME_LENGTH ? NAME.exec(name) : null;
  const [, namespace, server] = match ?? [];
  if (namespace === undefined || server === undefined || namespace.includes("..")) return undefined;
  return { namespace, server };
}

/** The GitHub account of `io.github.{account}`, in lower case; undefined for any other namespace. */
export function githubOwner(namespace: string): string | undefined {
  const lower = namespace.toLowerCase();
  if (!lower.startsWith(`${GITHUB}.`)) return undefined;
  const owner = lower.slice(GITHUB.length + 1);
  return GITHUB_OWNER.test(owner) ? owner : undefined;
}

/** The namespace of a GitHub account; undefined for a text that is not a valid account name. */
export function githubNamespace(owner: string): string | undefined {
  const lower = owner.toLowerCase();
  return GITHUB_OWNER.test(lower) ? `${GITHUB}.${lower}` : undefined;
}

/**
 * The domain whose owner owns a namespace: `com.example.tools` → `tools.example.com`. Undefined for a namespace that is
 * not a reversed domain of two or more labels, and for `io.github.*`: an account's pages prove nothing, only signing in
 * with it does.
 */
export function namespaceDomain(namespace: string): string | undefined {
  const lower = namespace.toLowerCase();
  if (lower === GITHUB || lower.startsWith(`${GITHUB}.`)) return undefined;
  const labels = lower.split(".");
  if (labels.length < 2 || lower.length > 253 || !labels.every((label) => LABEL.test(label))) return undefined;
  return labels.toReversed().join(".");
}

/** The namespace of a domain (`tools.example.com` → `com.example.tools`), the inverse of {@link namespaceDomain}. */
export function domainNamespace(domain: string): string | undefined {
  const namespace = domain.toLowerCase().replace(/\.$/, "").split(".").toReversed().join(".");
  return namespaceDomain(namespace) === undefined ? undefined : namespace;
}

/**
 * Whether the owner of one namespace may publish in another: the same one, or one below the same domain. Nothing is
 * below a GitHub account.
 */
export function ownsNamespace(owned: string, namespace: string): boolean {
  const mine = owned.toLowerCase();
  const wanted = namespace.toLowerCase();
  if (mine === wanted) return true;
  return namespaceDomain(mine) !== undefined && wanted.startsWith(`${mine}.`);
}

/**
 * A name without the differences that readers overlook: case, compatibility forms, `0`/`O`, `1`/`l`/`I`, `rn`/`m`,
 * `vv`/`w`, and hyphens, dots and underscores. Names with the same skeleton look alike. The skeleton itself is never
 * shown.
 */
export function skeleton(name: string): string {
  return name
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[-._]/g, "")
    .replaceAll("0", "o")
    .replaceAll(/[1i|]/g, "l")
    .replaceAll("rn", "m")
    .replaceAll("vv", "w");
}
