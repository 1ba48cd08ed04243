// The pages of the registry, as members and strangers open them.
import { formBrowser, pageOf, type Page } from "./browsing.ts";
import type { Member } from "./organizations.ts";

export const REGISTRY = "/dashboard/registry";
export const PUBLISH = `${REGISTRY}/publish`;

/** A page that does not lead away. */
export const openPage = async ({ browser }: Pick<Member, "browser">, path: string): Promise<Page> =>
  pageOf(await browser.open(path));

/** The page of a server. */
export const pathOf = (name: string, base = REGISTRY) => `${base}/${encodeURIComponent(name)}`;

/** Somebody who is not signed in. */
export const stranger = () => ({ browser: formBrowser() });

/** The servers that a list leads to, in its order. */
export const listed = ({ html }: Page): string[] =>
  [...html.matchAll(/<a href="(?:\/dashboard)?\/registry\/([^"?/]*%2F[^"?]*)/g)].map(([, name = ""]) =>
    decodeURIComponent(name),
  );

const README = "# Weather\n\nTells **tomorrow's** weather. [Docs](https://docs.example.com/) <script>alert(1)</script>";
/** What a definition can have, beside what all have. */
export const RICH = {
  title: "Weather for everybody",
  websiteUrl: "https://weather.example.com",
  repository: { url: "https://github.com/example/weather", source: "github" },
  remotes: [
    { type: "streamable-http", url: "https://mcp.example.org/mcp", headers: [{ name: "X-Place", isRequired: true }] },
  ],
  packages: [{ registryType: "npm", identifier: "@example/weather", version: "2.0.0", transport: { type: "stdio" } }],
  _meta: { "io.modelcontextprotocol.registry/publisher-provided": { github: { readme: README } } },
};
