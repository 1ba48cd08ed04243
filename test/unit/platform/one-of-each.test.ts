import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../../../src");
const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => /\.tsx?$/.test(file))
  .toSorted((a, b) => a.localeCompare(b))
  .map((file) => ({ file, source: readFileSync(join(SRC, file), "utf8") }));

const filesWith = (pattern: RegExp) => sources.filter(({ source }) => pattern.test(source)).map(({ file }) => file);

describe("what platform/ does for everybody", () => {
  it.each<[string, RegExp, string[]]>([
    [
      "a keyed hash, except of Better Auth's cookies",
      /\bhmac\(/,
      ["auth/cookie-rotation.ts", "platform/crypto.ts", "platform/signed.ts"],
    ],
    // RFC 7617 and the proofs of domains use standard base64.
    ["base64 that is decoded", /\batob\(/, ["oauth/token/client-id.ts", "registry/namespaces/challenge.ts"]],
    // Better Auth's signature of a query is taken in both alphabets.
    [
      "base64url by replacing characters",
      /replaceAll\(["']-["'], ["']\+["']\)|replaceAll\(["']\+["'], ["']-["']\)/,
      ["web/frame/oauth-query.ts"],
    ],
    ["a reader of bodies", /\.getReader\(|\bof \w+\.body\b/, ["platform/body.ts"]],
    ["a code of JSON-RPC", /-32[0-9]{3}\b/, ["platform/json-rpc.ts"]],
    ["the block of an address", /\.slice\(0, 16\)/, ["platform/ip.ts"]],
  ])("is not done again elsewhere: %s", (_what, pattern, files) => {
    expect(filesWith(pattern)).toEqual(files);
  });
});
