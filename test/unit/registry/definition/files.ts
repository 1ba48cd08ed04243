import { checkDefinition, type ServerDefinition } from "../../../../src/registry/definition/definition.ts";

/** The smallest server.json. */
export const SMALLEST = { name: "com.example/weather", description: "Weather of today", version: "1.0.0" };

export const STDIO = { type: "stdio" };
export const SHA256 = "fe333e598595000ae021bd27117db32ec69af6987f507ba7a63c90638ff633ce";
export const SCHEMAS = "https://static.modelcontextprotocol.io/schemas";

/** A file with this in addition, or instead. */
export const file = (more: object): Record<string, unknown> => ({ ...SMALLEST, ...more });

/** A file with one remote, and this in it. */
export const withRemote = (more: object) =>
  file({ remotes: [{ type: "streamable-http", url: "https://mcp.example.com/mcp", ...more }] });

/** A file with one package of npm, and this in it. */
export const withPackage = (more: object) =>
  file({
    packages: [{ registryType: "npm", identifier: "@example/weather", version: "1.0.0", transport: STDIO, ...more }],
  });

/** A file with one image, and this in it. */
export const withImage = (more: object) =>
  file({
    packages: [{ registryType: "oci", identifier: "images.example.com/weather:1.0.0", transport: STDIO, ...more }],
  });

/** A file with one bundle, and this in it. */
export const withBundle = (more: object) =>
  file({
    packages: [
      {
        registryType: "mcpb",
        identifier: "https://example.com/weather.mcpb",
        fileSha256: SHA256,
        transport: STDIO,
        ...more,
      },
    ],
  });

/** A file whose package takes this argument. */
export const withArgument = (more: object) => withPackage({ packageArguments: [more] });

/** A file whose package reads this environment variable. */
export const withVariable = (more: object) => withPackage({ environmentVariables: [{ name: "TOKEN", ...more }] });

/** The problems of a file as `pointer code`, in their order. */
export function problemsOf(input: unknown): string[] {
  const checked = checkDefinition(input);
  return "problems" in checked ? checked.problems.map(({ pointer, code }) => `${pointer} ${code}`) : [];
}

/** The definition of a file without problems. */
export function definitionOf(input: unknown): ServerDefinition {
  const checked = checkDefinition(input);
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return checked.definition;
}

/** A file in which every field stands. */
export const COMPLETE = {
  $schema: `${SCHEMAS}/2025-12-11/server.schema.json`,
  name: "com.example/weather",
  title: "Weather",
  description: "Weather of today",
  version: "1.2.0-rc.1",
  repository: { url: "https://github.com/example/servers", source: "github", id: "1234", subfolder: "src/weather" },
  websiteUrl: "https://example.com/weather",
  icons: [{ src: "https://example.com/icon.svg", mimeType: "image/svg+xml", sizes: ["48x48", "any"], theme: "dark" }],
  remotes: [
    {
      type: "streamable-http",
      url: "https://{organization}.example.com/mcp",
      headers: [
        {
          name: "Authorization",
          description: "Key of your organization",
          isRequired: true,
          value: "Bearer {key}",
          isSecret: true,
          variables: { key: { description: "Key", isRequired: true, isSecret: true } },
        },
      ],
      variables: {
        organization: { description: "Organization", isRequired: true, default: "north", choices: ["north", "south"] },
      },
    },
    { type: "sse", url: "https://mcp.example.com/sse" },
  ],
  packages: [
    {
      registryType: "npm",
      registryBaseUrl: "https://packages.example.com",
      identifier: "@example/weather",
      version: "1.2.0",
      fileSha256: SHA256,
      runtimeHint: "npx",
      transport: {
        type: "streamable-http",
        url: "http://{HOST}:{--port}/mcp",
        headers: [{ name: "X-Api-Key", isSecret: true }],
      },
      runtimeArguments: [{ type: "positional", value: "-y" }],
      packageArguments: [
        { type: "named", name: "--port", isRepeated: false, format: "number", default: "8080" },
        { type: "positional", valueHint: "folder", isRepeated: true, format: "filepath", placeholder: "/data" },
      ],
      environmentVariables: [
        { name: "HOST", default: "localhost" },
        { name: "VERBOSE", format: "boolean", value: "false" },
      ],
    },
  ],
  _meta: { "io.modelcontextprotocol.registry/publisher-provided": { github: { readme: "# Weather\n\n\t- today" } } },
};
