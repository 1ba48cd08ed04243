import { describe, expect, it } from "vitest";
import { checkDefinition } from "../../../../src/registry/definition/definition.ts";
import { file, problemsOf, withPackage, withRemote } from "./files.ts";

const withHeader = (more: object) => withRemote({ headers: [{ name: "X-Organization", ...more }] });
const withOrganization = (url: string, organization: object) => withRemote({ url, variables: { organization } });
const withTransport = (url: string, more: object = {}) =>
  withPackage({ transport: { type: "streamable-http", url }, ...more });
const URL_AT = "/remotes/0/url";
const HEADER = "/remotes/0/headers/0";
const TRANSPORT = "/packages/0/transport";

describe("a remote", () => {
  it.each<[string, unknown]>([
    ["with streams", withRemote({ type: "sse" })],
    ["at another port", withRemote({ url: "https://mcp.example.com:8443/mcp" })],
    ["with a host per organization", withOrganization("https://{organization}.example.com/mcp", {})],
    ["with a host chosen by the user", withOrganization("https://{organization}/mcp", { isRequired: true })],
    [
      "with a port and a path chosen",
      withRemote({ url: "https://a.example.com:{p}/{q}?r={q}", variables: { p: {}, q: {} } }),
    ],
    [
      "with public choices",
      withOrganization("https://{organization}/mcp", { choices: ["a.example.com", "b.example.com"] }),
    ],
    ["with variables that nothing uses", withRemote({ variables: { organization: { format: "filepath" } } })],
    ["with a header's template", withHeader({ value: "a {b} c", variables: { b: {} }, isSecret: true })],
    ["with braces that are no name", withHeader({ value: '{"a": 1}' })],
    ["with a secret that the user gives", withHeader({ isSecret: true, isRequired: true, placeholder: "key" })],
    ["with a secret that is empty by default", withHeader({ isSecret: true, default: "" })],
    ["with a default among choices", withHeader({ choices: ["a", "b"], default: "b" })],
    ["with a number by default", withHeader({ format: "number", default: "-1.5" })],
    ["with a header's description in lines", withHeader({ description: "a\n\tb" })],
  ])("is accepted %s", (_, input) => {
    expect(problemsOf(input)).toEqual([]);
  });

  it.each<[string, unknown, ...string[]]>([
    ["that is empty", file({ remotes: [{}] }), "/remotes/0/type required", `${URL_AT} required`],
    ["that is text", file({ remotes: ["https://mcp.example.com"] }), "/remotes/0 wrong_type"],
    ["on stdio", withRemote({ type: "stdio" }), "/remotes/0/type unknown_choice"],
    ["over http", withRemote({ url: "http://mcp.example.com/mcp" }), `${URL_AT} url_not_https`],
    ["P05: as a script", withRemote({ url: "javascript:alert(1)" }), `${URL_AT} url_not_https`],
    ["with a path for a URL", withRemote({ url: "/mcp" }), `${URL_AT} url_form`],
    ["with blanks in its URL", withRemote({ url: "https://mcp.example.com/m cp" }), `${URL_AT} form`],
    ["with a password", withRemote({ url: "https://a:b@mcp.example.com" }), `${URL_AT} url_credentials`],
    ["P07: at localhost", withRemote({ url: "https://localhost:8443/mcp" }), `${URL_AT} url_not_public`],
    ["P07: at loopback", withRemote({ url: "https://127.0.0.1/mcp" }), `${URL_AT} url_not_public`],
    ["P07: at loopback in one number", withRemote({ url: "https://2130706433/mcp" }), `${URL_AT} url_not_public`],
    ["P07: at IPv6 loopback", withRemote({ url: "https://[::1]/mcp" }), `${URL_AT} url_not_public`],
    ["P07: in a private network", withRemote({ url: "https://10.1.2.3/mcp" }), `${URL_AT} url_not_public`],
    ["P07: at a cloud's metadata", withRemote({ url: "https://169.254.169.254/" }), `${URL_AT} url_not_public`],
    ["P07: at an internal name", withRemote({ url: "https://mcp.corp/mcp" }), `${URL_AT} url_not_public`],
    [
      "P07: at a private host by default",
      withOrganization("https://{organization}/mcp", { default: "127.0.0.1" }),
      `${URL_AT} url_not_public`,
    ],
    [
      "P07: at a private host by value",
      withOrganization("https://10.0.0.{organization}/", { value: "7" }),
      `${URL_AT} url_not_public`,
    ],
    [
      "P07: at a private host by choice",
      withOrganization("https://{organization}/", { choices: ["a.example.com", "a.internal"] }),
      `${URL_AT} url_not_public`,
    ],
    [
      "P07: at a host cut off by a default",
      withOrganization("https://{organization}.example.com/", { default: "localhost/" }),
      `${URL_AT} url_not_public`,
    ],
    [
      "P07: at a private host put together",
      withRemote({ url: "https://{a}.{b}/", variables: { a: { default: "metadata" }, b: { default: "internal" } } }),
      `${URL_AT} url_not_public`,
    ],
    [
      "with a name put before its host",
      withOrganization("https://{organization}@a.example.com/", {}),
      `${URL_AT} url_credentials`,
    ],
    ["with a variable for its scheme", withOrganization("{organization}://mcp.example.com", {}), `${URL_AT} url_form`],
    ["with a variable for all of it", withOrganization("{organization}/mcp", {}), `${URL_AT} url_form`],
    ["with an unknown variable", withOrganization("https://{tenant}.example.com/", {}), `${URL_AT} undefined_variable`],
    [
      "with a variable of the prototype",
      withRemote({ url: "https://{constructor}.example.com/" }),
      `${URL_AT} undefined_variable`,
    ],
    ["with an open brace", withOrganization("https://{organization.example.com/", {}), `${URL_AT} template_form`],
    ["with nested braces", withOrganization("https://{{organization}}.example.com/", {}), `${URL_AT} template_form`],
    ["with empty braces", withOrganization("https://{}.example.com/", {}), `${URL_AT} template_form`],
    [
      "with a URL of variables",
      withRemote({
        url: `https://mcp.example.com/${"abcdefghi".replaceAll(/./g, "{$&}")}`,
        variables: Object.fromEntries(Array.from("abcdefghi", (name) => [name, {}])),
      }),
      `${URL_AT} too_many`,
    ],
    ["with variables in a list", withRemote({ variables: [] }), "/remotes/0/variables wrong_type"],
    [
      "with a variable that is text",
      withRemote({ variables: { organization: "north" } }),
      "/remotes/0/variables/organization wrong_type",
    ],
    ["with a variable's bad name", withRemote({ variables: { "a b": {} } }), "/remotes/0/variables/a b form"],
    [
      "with too many variables",
      withRemote({ variables: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`v${i}`, {}])) }),
      "/remotes/0/variables too_many",
    ],
    ["with a nameless header", withRemote({ headers: [{ value: "x" }] }), `${HEADER}/name required`],
    ["with a header's bad name", withHeader({ name: "X Organization:" }), `${HEADER}/name form`],
    [
      "with a header twice",
      withRemote({ headers: [{ name: "X-Organization" }, { name: "x-organization" }] }),
      "/remotes/0/headers/1/name duplicate",
    ],
    ["with the header Host", withHeader({ name: "Host" }), `${HEADER}/name reserved_header`],
    ["with a header that breaks the line", withHeader({ value: "a\r\nCookie: b" }), `${HEADER}/value unsafe_character`],
    [
      "with an undefined variable in a header",
      withHeader({ value: "Bearer {key}" }),
      `${HEADER}/value undefined_variable`,
    ],
    [
      "with a variable that objects know in a header",
      withHeader({ value: "{constructor}", variables: {} }),
      `${HEADER}/value undefined_variable`,
    ],
    ["with a number for a default", withHeader({ default: 8080 }), `${HEADER}/default wrong_type`],
    ["with text for a flag", withHeader({ isRequired: "true" }), `${HEADER}/isRequired wrong_type`],
    ["with an unknown format", withHeader({ format: "file_path" }), `${HEADER}/format unknown_choice`],
    [
      "with a default beside its choices",
      withHeader({ choices: ["a"], default: "b" }),
      `${HEADER}/default default_not_a_choice`,
    ],
    ["with a word for a number", withHeader({ format: "number", default: "many" }), `${HEADER}/default default_form`],
    ["with a value that is no truth", withHeader({ format: "boolean", value: "yes" }), `${HEADER}/value default_form`],
    [
      "with a secret by default",
      withHeader({ isSecret: true, default: "hunter2" }),
      `${HEADER}/default secret_published`,
    ],
    ["with a fixed secret", withHeader({ isSecret: true, value: "Bearer abc" }), `${HEADER}/value secret_published`],
    [
      "with a variable's secret by default",
      withHeader({ value: "{key}", variables: { key: { isSecret: true, default: "hunter2" } } }),
      `${HEADER}/variables/key/default secret_published`,
    ],
    ["with choices of numbers", withHeader({ choices: [1] }), `${HEADER}/choices/0 wrong_type`],
  ])("is refused %s", (_, input, ...problems) => {
    expect(problemsOf(input)).toEqual(problems);
  });

  it("may be a private host where the operator allows it", () => {
    const local = withRemote({ url: "http://localhost:3001/mcp" });
    expect(checkDefinition(local, { allow: ["localhost:3001"] })).toHaveProperty("definition");
    expect(checkDefinition(local, { allow: ["localhost:3002"] })).toHaveProperty("problems");
  });
});

describe("a package's transport", () => {
  it.each<[string, unknown]>([
    ["on stdio", withPackage({ transport: { type: "stdio", url: "", headers: [] } })],
    ["on this machine", withTransport("http://localhost:8080/mcp")],
    ["on this machine by address", withTransport("http://127.0.0.1:8080/mcp")],
    ["on this machine over IPv6", withTransport("http://[::1]:8080/mcp")],
    ["on every interface", withTransport("http://0.0.0.0:8080/mcp")],
    ["elsewhere", withTransport("https://mcp.example.com/mcp")],
    [
      "at a port of the environment",
      withTransport("http://localhost:{PORT}/", { environmentVariables: [{ name: "PORT", default: "80" }] }),
    ],
    [
      "at a port of a flag",
      withTransport("http://localhost:{--port}/", { runtimeArguments: [{ type: "named", name: "--port" }] }),
    ],
    [
      "at a host of an argument",
      withTransport("http://{host}:80/", { packageArguments: [{ type: "positional", valueHint: "host" }] }),
    ],
  ])("is accepted %s", (_, input) => {
    expect(problemsOf(input)).toEqual([]);
  });

  it.each<[string, unknown, ...string[]]>([
    ["that is absent", withPackage({ transport: undefined }), `${TRANSPORT} required`],
    ["that is a word", withPackage({ transport: "stdio" }), `${TRANSPORT} wrong_type`],
    ["without type", withPackage({ transport: {} }), `${TRANSPORT}/type required`],
    ["of an unknown type", withPackage({ transport: { type: "http" } }), `${TRANSPORT}/type unknown_choice`],
    ["without URL", withPackage({ transport: { type: "sse" } }), `${TRANSPORT}/url required`],
    [
      "on stdio with a URL",
      withPackage({ transport: { type: "stdio", url: "http://localhost" } }),
      `${TRANSPORT}/url forbidden_field`,
    ],
    [
      "on stdio with headers",
      withPackage({ transport: { type: "stdio", headers: [{ name: "X-A" }] } }),
      `${TRANSPORT}/headers forbidden_field`,
    ],
    ["elsewhere over http", withTransport("http://mcp.example.com/mcp"), `${TRANSPORT}/url url_not_https`],
    ["P07: in a private network", withTransport("http://192.168.1.1/"), `${TRANSPORT}/url url_not_https`],
    ["P07: at a cloud's metadata", withTransport("https://169.254.169.254/"), `${TRANSPORT}/url url_not_public`],
    [
      "P07: in a private network by default",
      withTransport("https://{HOST}/", { environmentVariables: [{ name: "HOST", default: "10.0.0.1" }] }),
      `${TRANSPORT}/url url_not_public`,
    ],
    ["with an unknown variable", withTransport("http://localhost:{port}/"), `${TRANSPORT}/url undefined_variable`],
    ["of another scheme", withTransport("file:///etc/passwd"), `${TRANSPORT}/url url_not_https`],
  ])("is refused %s", (_, input, ...problems) => {
    expect(problemsOf(input)).toEqual(problems);
  });
});
