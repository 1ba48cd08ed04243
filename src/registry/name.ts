/** Longest name of a server (`server.json` 2025-12-11). */
export const MAX_NAME_LENGTH = 200;

const NAME = /^([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)\/([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const GITHUB = "io.github";
const GITHUB_OWNER = /^[a-z0-9](?:[a-z0-9-]{0,38})$/;

/** A name in its two parts: who answers for it, and which of their servers. */
export interface ServerName {
  namespace: string;
  server: string;
}

/**
 * The parts of `namespace/server`; undefined for other text. As in the schema, and each part begins and ends with a letter or digit,
 * as the official registry asks; the namespace has no empty label.
 */
export function parseName(name: string): ServerName | undefined {
  const match = name.length >= 3 && name.length <= MAX_NAME_LENGTH ? NAME.exec(name) : null;
  const [, namespace, server] = match ?? [];
  if (namespace === undefined || server === undefined || namespace.includes("..")) return undefined;
  return { namespace, server };
}

/** The GitHub account behind `io.github.{account}`, in lower case; undefined for any other namespace. */
export function githubOwner(namespace: string): string | undefined {
  const lower = namespace.toLowerCase();
  if (!lower.startsWith(`${GITHUB}.`)) return undefined;
  const owner = lower.slice(GITHUB.length + 1);
  return GITHUB_OWNER.test(owner) ? owner : undefined;
}

/** The namespace that a GitHub account owns; undefined for text that is no account's name. */
export function githubNamespace(owner: string): string | undefined {
  const lower = owner.toLowerCase();
  return GITHUB_OWNER.test(lower) ? `${GITHUB}.${lower}` : undefined;
}

/**
 * The domain whose owner answers for a namespace: `com.example.tools` → `tools.example.com`. Undefined for a namespace that is no
 * reversed domain of two labels or more, and for `io.github.*`: pages of an account prove nothing, only its sign-in does.
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

/** Whether who owns one namespace may publish in another: the same, or below the same domain. Below a GitHub account there is nothing. */
export function ownsNamespace(owned: string, namespace: string): boolean {
  const mine = owned.toLowerCase();
  const wanted = namespace.toLowerCase();
  if (mine === wanted) return true;
  return namespaceDomain(mine) !== undefined && wanted.startsWith(`${mine}.`);
}

/**
 * What is left of a name when differences that a reader overlooks are taken away: case, compatibility forms, `0`/`O`, `1`/`l`/`I`,
 * `rn`/`m`, `vv`/`w`, and hyphens, dots and underscores. Two names with one skeleton look alike; the skeleton itself is never shown.
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
