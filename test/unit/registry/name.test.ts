import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  domainNamespace,
  githubNamespace,
  githubOwner,
  namespaceDomain,
  ownsNamespace,
  parseName,
  skeleton,
} from "../../../src/registry/name.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/);
const domain = fc.array(label, { minLength: 2, maxLength: 5 }).map((labels) => labels.join("."));

describe("a server's name", () => {
  it.each([
    ["com.example/weather", "com.example", "weather"],
    ["io.github.octo-org/My_Server.v2", "io.github.octo-org", "My_Server.v2"],
    ["a/b", "a", "b"],
    ["internal/tools", "internal", "tools"],
  ])("%s has a namespace and a server", (name, namespace, server) => {
    expect(parseName(name)).toEqual({ namespace, server });
  });

  it.each([
    "",
    "weather",
    "/weather",
    "com.example/",
    "com.example/a/b",
    "com..example/a",
    ".com/a",
    "com./a",
    "-com/a",
    "com.example/-a",
    "com.example/a_",
    "com_example/a",
    "com.example/a b",
    "com.example/ä",
    "com.example/a\n",
    "../../a",
    `com.example/${"a".repeat(189)}`,
  ])("is not '%s'", (name) => {
    expect(parseName(name)).toBeUndefined();
  });

  it("fits in 200 characters", () => {
    expect(parseName(`com.example/${"a".repeat(188)}`)).toBeDefined();
  });
});

describe("a namespace", () => {
  it.each([
    ["com.example", "example.com"],
    ["com.example.tools", "tools.example.com"],
    ["COM.Example", "example.com"],
    ["io.githubber", "githubber.io"],
  ])("%s is proved by %s", (namespace, proved) => {
    expect(namespaceDomain(namespace)).toBe(proved);
  });

  it.each([
    "com",
    "io.github",
    "io.github.octocat",
    "IO.GitHub.octocat",
    "io.github.a.b",
    "com.-example",
    "com.exa_mple",
    "",
  ])("%s is proved by no domain", (namespace) => {
    expect(namespaceDomain(namespace)).toBeUndefined();
  });

  it("comes from its domain and leads back to it", () => {
    fc.assert(
      fc.property(domain, (name) => {
        fc.pre(!name.endsWith("github.io"));
        expect(namespaceDomain(domainNamespace(name) ?? "")).toBe(name);
      }),
    );
  });

  it.each(["com", "octocat.github.io", "github.io", "exa mple.com", "127.0.0.1/x", "", "."])(
    "does not come from '%s'",
    (text) => {
      expect(domainNamespace(text)).toBeUndefined();
    },
  );

  it.each([
    ["io.github.octocat", "octocat"],
    ["io.github.Octo-Org", "octo-org"],
    ["IO.GITHUB.octocat", "octocat"],
  ])("%s belongs to the GitHub account %s", (namespace, owner) => {
    expect([githubOwner(namespace), githubNamespace(owner)]).toEqual([owner, namespace.toLowerCase()]);
  });

  it.each(["io.github", "io.github.", "io.github.a.b", "com.example", "io.github.-a", `io.github.${"a".repeat(40)}`])(
    "%s belongs to no GitHub account",
    (namespace) => {
      expect(githubOwner(namespace)).toBeUndefined();
    },
  );

  it.each([
    ["com.example", "com.example", true],
    ["com.example", "COM.example", true],
    ["com.example", "com.example.tools", true],
    ["com.example", "com.examples", false],
    ["com.example.tools", "com.example", false],
    ["io.github.octocat", "io.github.octocat", true],
    ["io.github.octocat", "io.github.octocat.x", false],
    ["io.github", "io.github.octocat", false],
    ["com", "com.example", false],
  ])("%s lets its owner publish in %s: %s", (owned, namespace, expected) => {
    expect(ownsNamespace(owned, namespace)).toBe(expected);
  });
});

describe("names that look alike", () => {
  it.each([
    ["com.example/weather", "COM.Example/Weather"],
    ["com.example/tool", "com.example/t00l"],
    ["com.example/files", "com.examp1e/fiIes"],
    ["com.example/modern", "com.example/modem"],
    ["com.vvidget/a-b", "com.widget/a_b"],
    ["com.example/my-server", "com.example/my.server"],
    ["com.example/myserver", "com.ex-ample/my_server"],
    ["io.github.acme/tools", "io.githubacme/tools"],
    ["com.example/ａ", "com.example/a"],
  ])("%s and %s have one skeleton", (a, b) => {
    expect(skeleton(a)).toBe(skeleton(b));
  });

  it.each([
    ["com.example/weather", "com.example/whether"],
    ["com.example/a", "com.example/b"],
    ["com.example/clock", "com.example/dock"],
    ["com.example/s3", "com.example/s2"],
    ["com.example.a/b", "com.example/a.b"],
  ])("%s and %s do not", (a, b) => {
    expect(skeleton(a)).not.toBe(skeleton(b));
  });

  it("have a skeleton that stays what it is, and that keeps the slash", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9.-]{1,20}\/[A-Za-z0-9._-]{1,20}$/), (name) => {
        const once = skeleton(name);
        expect([skeleton(once), once.split("/").length]).toEqual([once, 2]);
      }),
    );
  });
});
