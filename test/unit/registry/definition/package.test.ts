import { describe, expect, it } from "vitest";
import { checkDefinition } from "../../../../src/registry/definition/definition.ts";
import {
  definitionOf,
  file,
  problemsOf,
  SCHEMAS,
  SHA256,
  STDIO,
  withArgument,
  withBundle,
  withImage,
  withPackage,
  withRemote,
  withVariable,
} from "./files.ts";

const of = (registryType: string, identifier: string) => withPackage({ registryType, identifier });
const image = (identifier: string) => withImage({ identifier });
const oldImage = (more: object) => ({ ...withImage(more), $schema: `${SCHEMAS}/2025-09-29/server.schema.json` });
const flag = (more: object) => withArgument({ type: "named", name: "--mode", ...more });
const word = (more: object) => withArgument({ type: "positional", ...more });
const DIGEST = `sha256:${SHA256}`;
const ID = "/packages/0/identifier";
const ARGUMENT = "/packages/0/packageArguments/0";
const VARIABLE = "/packages/0/environmentVariables/0";

describe("a package", () => {
  it.each<[string, unknown]>([
    ["of npm", of("npm", "weather.js")],
    ["of npm with a scope", of("npm", "@example/weather_server")],
    ["of npm from a mirror", withPackage({ registryBaseUrl: "https://packages.example.com/npm/" })],
    ["with a hash", withPackage({ fileSha256: SHA256 })],
    ["of PyPI", of("pypi", "Example.weather-server_2")],
    ["of NuGet", of("nuget", "Example.Weather.Server")],
    ["of Cargo", of("cargo", "weather-server")],
    ["as an image", image("example/weather:1.0.0")],
    ["as an image by digest", image(`images.example.com/a/b/c@${DIGEST}`)],
    ["as an image by tag and digest", image(`images.example.com:5000/a/b:latest@${DIGEST}`)],
    ["as an image of one word", image("weather:2025-11")],
    [
      "as an old image",
      oldImage({ identifier: "example/weather", version: "1.0.0", registryBaseUrl: "https://images.example.com" }),
    ],
    ["as a bundle", withBundle({})],
    ["as a bundle with a version", withBundle({ version: "1.0.0" })],
    ["with a runtime", withPackage({ runtimeHint: "uvx" })],
    ["with an empty base URL", withPackage({ registryBaseUrl: "" })],
    ["with a calendar's version", withPackage({ version: "2025.11.1" })],
    ["with a flag alone", flag({})],
    ["with a flag's value", flag({ value: "fast", isRepeated: true, valueHint: "mode" })],
    ["with a word of its own", word({ value: "serve" })],
    ["with a hint", word({ valueHint: "file_path", isRequired: true, format: "filepath" })],
    ["with mounts", flag({ value: "type=bind,src={a},dst=/data", variables: { a: { format: "filepath" } } })],
    ["with a URL without separators", flag({ value: "https://example.com/a?b=c#d" })],
    ["with JSON as a value", flag({ value: '{"a": [1, 2]}' })],
    ["with a value that begins like its flag", flag({ value: "--modern" })],
    ["with a secret in the environment", withVariable({ isSecret: true, isRequired: true })],
    ["with shell characters in the environment", withVariable({ value: "a;b|c" })],
  ])("is accepted %s", (_, input) => {
    expect(problemsOf(input)).toEqual([]);
  });

  it.each<[string, unknown, ...string[]]>([
    [
      "that is empty",
      file({ packages: [{}] }),
      "/packages/0/registryType required",
      `${ID} required`,
      "/packages/0/transport required",
    ],
    ["of an unknown kind", of("apt", "weather"), "/packages/0/registryType unknown_choice"],
    [
      "in snake_case",
      file({ packages: [{ registry_type: "npm", identifier: "a", version: "1.0.0", transport: STDIO }] }),
      "/packages/0/registry_type renamed_field",
      "/packages/0/registryType required",
    ],
    ["of npm with a version in its name", of("npm", "weather@1.0.0"), `${ID} form`],
    ["of npm in capitals", of("npm", "Weather"), `${ID} form`],
    ["P07: of npm that reads as an option", of("npm", "--registry=https://evil.example.com"), `${ID} form`],
    ["P07: of npm that reads as a path", of("npm", "../weather"), `${ID} form`],
    ["P07: of npm that reads as a repository", of("npm", "git+https://example.com/a.git"), `${ID} form`],
    ["P07: of npm with a command", of("npm", "weather;id"), `${ID} form`],
    ["of npm too long", of("npm", "w".repeat(215)), `${ID} too_long`],
    ["with a blank", of("npm", "weather server"), `${ID} form`],
    ["of npm without a version", withPackage({ version: undefined }), "/packages/0/version required"],
    ["of npm with a tag", withPackage({ version: "latest" }), "/packages/0/version version_reserved"],
    ["of npm with a range", withPackage({ version: "~1.0" }), "/packages/0/version version_range"],
    ["of npm with an empty version", withPackage({ version: "" }), "/packages/0/version too_short"],
    ["of PyPI with extras", of("pypi", "weather[all]"), `${ID} form`],
    ["of PyPI with a version", of("pypi", "weather==1.0"), `${ID} form`],
    ["of NuGet with a slash", of("nuget", "Example/Weather"), `${ID} form`],
    ["of Cargo with a digit first", of("cargo", "2weather"), `${ID} form`],
    [
      "P07: from a private mirror",
      withPackage({ registryBaseUrl: "https://10.0.0.1/" }),
      "/packages/0/registryBaseUrl url_not_public",
    ],
    [
      "P07: from a mirror over http",
      withPackage({ registryBaseUrl: "http://packages.example.com" }),
      "/packages/0/registryBaseUrl url_not_https",
    ],
    ["with a short hash", withPackage({ fileSha256: SHA256.slice(1) }), "/packages/0/fileSha256 form"],
    ["with a hash in capitals", withPackage({ fileSha256: SHA256.toUpperCase() }), "/packages/0/fileSha256 form"],
    ["as an image with a version", withImage({ version: "1.0.0" }), "/packages/0/version forbidden_field"],
    [
      "as an image with a base URL",
      withImage({ registryBaseUrl: "https://images.example.com" }),
      "/packages/0/registryBaseUrl forbidden_field",
    ],
    ["as an image with a hash", withImage({ fileSha256: SHA256 }), "/packages/0/fileSha256 forbidden_field"],
    ["as an image without a version", image("images.example.com/weather"), `${ID} required`],
    ["as an old image without a version", oldImage({ identifier: "example/weather" }), `${ID} required`],
    ["as the latest image", image("images.example.com/weather:latest"), `${ID} version_reserved`],
    ["as an image in capitals", image("images.example.com/Weather:1"), `${ID} form`],
    ["as an image with a bad digest", image("example/weather@sha256:abc"), `${ID} form`],
    ["as an image by URL", image("https://images.example.com/weather:1"), `${ID} form`],
    ["P07: as an image of this machine", image("localhost:5000/weather:1"), `${ID} url_not_public`],
    ["P07: as an image of a private address", image("10.0.0.1:5000/weather:1"), `${ID} url_not_public`],
    ["as a bundle without a hash", withBundle({ fileSha256: undefined }), "/packages/0/fileSha256 required"],
    ["as a bundle over http", withBundle({ identifier: "http://example.com/a.mcpb" }), `${ID} url_not_https`],
    ["as a bundle by name", withBundle({ identifier: "weather.mcpb" }), `${ID} url_form`],
    [
      "P07: as a bundle of this machine",
      withBundle({ identifier: "https://127.0.0.1/a.mcpb" }),
      `${ID} url_not_public`,
    ],
    ["P07: as a bundle in a file", withBundle({ identifier: "file:///files/a.mcpb" }), `${ID} url_not_https`],
    [
      "as a bundle with a base URL",
      withBundle({ registryBaseUrl: "https://example.com" }),
      "/packages/0/registryBaseUrl forbidden_field",
    ],
    ["P07: with a path as runtime", withPackage({ runtimeHint: "/bin/sh" }), "/packages/0/runtimeHint form"],
    ["P07: with a shell as runtime", withPackage({ runtimeHint: "bash" }), "/packages/0/runtimeHint shell_runtime"],
    ["P07: with a command as runtime", withPackage({ runtimeHint: "npx -y" }), "/packages/0/runtimeHint form"],
    ["with too many packages", file({ packages: Array.from({ length: 33 }, () => ({})) }), "/packages too_many"],
    ["with an argument that is text", withPackage({ packageArguments: ["serve"] }), `${ARGUMENT} wrong_type`],
    ["with an argument without type", withArgument({ value: "serve" }), `${ARGUMENT}/type required`],
    ["with an argument of unknown type", withArgument({ type: "flag", value: "a" }), `${ARGUMENT}/type unknown_choice`],
    ["with a nameless flag", withArgument({ type: "named" }), `${ARGUMENT}/name required`],
    ["with a flag that has its value", flag({ name: "--port 80" }), `${ARGUMENT}/name form`],
    ["with a flag that has a hint", flag({ name: "--dir<path>" }), `${ARGUMENT}/name form`],
    ["with the flag again in its value", flag({ value: "--mode=fast" }), `${ARGUMENT}/value value_repeats_name`],
    ["with the flag again in its default", flag({ default: "--mode fast" }), `${ARGUMENT}/default value_repeats_name`],
    ["with an argument of nothing", word({}), `${ARGUMENT}/valueHint required`],
    ["with a hint of words", word({ valueHint: "the file" }), `${ARGUMENT}/valueHint form`],
    ["with an undefined variable", flag({ value: "{mode}" }), `${ARGUMENT}/value undefined_variable`],
    ["P07: with a second command", word({ value: "; rm -rf ~" }), `${ARGUMENT}/value shell_characters`],
    ["P07: with a pipe", word({ value: "a|b" }), `${ARGUMENT}/value shell_characters`],
    ["P07: with a background command", word({ value: "a&b" }), `${ARGUMENT}/value shell_characters`],
    ["P07: with a redirection", word({ value: "a >/etc/passwd" }), `${ARGUMENT}/value shell_characters`],
    ["P07: with a substitution", word({ value: "$(id)" }), `${ARGUMENT}/value shell_characters`],
    ["P07: with backticks", word({ value: "`id`" }), `${ARGUMENT}/value shell_characters`],
    ["P07: with a shell's variable", word({ value: "$HOME/a" }), `${ARGUMENT}/value shell_characters`],
    ["P07: with a second line", word({ value: "a\nb" }), `${ARGUMENT}/value unsafe_character`],
    ["P07: with a command by default", flag({ default: "a;b" }), `${ARGUMENT}/default shell_characters`],
    ["P07: with a command to choose", flag({ choices: ["a", "a;b"] }), `${ARGUMENT}/choices shell_characters`],
    [
      "P07: with a command in a variable",
      flag({ value: "{a}", variables: { a: { default: "`id`" } } }),
      `${ARGUMENT}/variables/a/default shell_characters`,
    ],
    [
      "P07: with a command among runtime arguments",
      withPackage({ runtimeArguments: [{ type: "positional", value: "a;b" }] }),
      "/packages/0/runtimeArguments/0/value shell_characters",
    ],
    ["with a variable's name of words", withVariable({ name: "MY TOKEN" }), `${VARIABLE}/name form`],
    ["with an assignment", withVariable({ name: "TOKEN=x" }), `${VARIABLE}/name form`],
    ["with a nameless variable", withVariable({ name: undefined }), `${VARIABLE}/name required`],
    [
      "with a variable twice",
      withPackage({ environmentVariables: [{ name: "A" }, { name: "B" }, { name: "A" }] }),
      "/packages/0/environmentVariables/2/name duplicate",
    ],
    ["with a published secret", withVariable({ isSecret: true, value: "abc" }), `${VARIABLE}/value secret_published`],
    [
      "with a secret by default",
      withVariable({ isSecret: true, default: "abc" }),
      `${VARIABLE}/default secret_published`,
    ],
  ])("is refused %s", (_, input, ...problems) => {
    expect(problemsOf(input)).toEqual(problems);
  });

  it("loses fields that do not belong to its transport or its argument", () => {
    const definition = definitionOf(
      withPackage({
        transport: { type: "stdio", url: "" },
        packageArguments: [{ type: "positional", name: "a", value: "b" }],
      }),
    );
    expect(definition.packages?.[0]).toMatchObject({
      transport: { type: "stdio" },
      packageArguments: [{ type: "positional", value: "b" }],
    });
    expect(JSON.stringify(definition)).not.toMatch(/"(url|name":"a)"/);
  });
});

describe("a file mirrored from another registry", () => {
  it.each<[string, unknown, ...string[]]>([
    ["a package without version", withPackage({ version: undefined }), "/packages/0/version required"],
    ["an undefined variable", flag({ value: "{mode}" }), `${ARGUMENT}/value undefined_variable`],
    ["a published secret", withVariable({ isSecret: true, value: "abc" }), `${VARIABLE}/value secret_published`],
    [
      "a default beside its choices",
      withVariable({ choices: ["a"], default: "b" }),
      `${VARIABLE}/default default_not_a_choice`,
    ],
    [
      "a default of another format",
      withVariable({ format: "number", default: "b" }),
      `${VARIABLE}/default default_form`,
    ],
    ["a flag again in its value", flag({ value: "--mode=fast" }), `${ARGUMENT}/value value_repeats_name`],
    ["P07: shell characters, flagged", word({ value: "a;b" }), `${ARGUMENT}/value shell_characters`],
    ["an image with its version apart", withImage({ identifier: "example/weather", version: "1.0.0" })],
    [
      "a variable twice",
      withPackage({ environmentVariables: [{ name: "A" }, { name: "A" }] }),
      "/packages/0/environmentVariables/1/name duplicate",
    ],
  ])("may have %s, with a remark", (_, input, ...remarks) => {
    const checked = checkDefinition(input, { isMirrored: true });
    const found = "remarks" in checked ? checked.remarks.map(({ pointer, code }) => `${pointer} ${code}`) : checked;
    expect(found).toEqual(remarks);
  });

  it.each<[string, unknown, string]>([
    ["P07: a private remote", withRemote({ url: "https://10.0.0.1/" }), "url_not_public"],
    ["P05: a script as website", file({ websiteUrl: "javascript:alert(1)" }), "url_not_https"],
    ["P06: text that runs backwards", file({ title: "a\u202eb" }), "unsafe_character"],
    ["P07: a shell as runtime", withPackage({ runtimeHint: "sh" }), "shell_runtime"],
    ["P07: an option as identifier", of("npm", "-y"), "form"],
    ["a bundle without hash", withBundle({ fileSha256: undefined }), "required"],
    ["an undefined variable in a URL", withRemote({ url: "https://{a}.example.com/" }), "undefined_variable"],
    ["a range", file({ version: "^1.0.0" }), "version_range"],
  ])("may not have %s", (_, input, code) => {
    expect(checkDefinition(input, { isMirrored: true })).toMatchObject({ problems: [{ code }] });
  });
});
