import { describe, expect, it } from "vitest";
import { clientCredentials } from "../../../../src/oauth/token/client-credentials.ts";

const ORIGIN = "https://gateway.example.com";

/** What the framework is asked. */
async function asked(form: string): Promise<Record<string, string>> {
  let body = "";
  await clientCredentials(new URLSearchParams(form), ORIGIN, async (sent) => {
    body = sent;
    return new Response();
  });
  return Object.fromEntries(new URLSearchParams(body));
}

describe("a request for a client's own token", () => {
  it("means /mcp when it names no resource, and else what it names", async () => {
    expect(await asked("grant_type=client_credentials")).toEqual({
      grant_type: "client_credentials",
      resource: `${ORIGIN}/mcp`,
    });
    expect(await asked(`resource=${ORIGIN}/mcp/notes`)).toEqual({ resource: `${ORIGIN}/mcp/notes` });
  });

  it("names each scope once, or none at all", async () => {
    expect(await asked("scope=mcp:tools++audit:read+mcp:tools+")).toMatchObject({ scope: "mcp:tools audit:read" });
    for (const form of ["", "scope=", "scope=+"]) expect(await asked(form)).not.toHaveProperty("scope");
  });

  it("is for one resource", async () => {
    const form = new URLSearchParams([
      ["resource", `${ORIGIN}/mcp`],
      ["resource", `${ORIGIN}/mcp/notes`],
    ]);
    const answer = await clientCredentials(form, ORIGIN, () => Promise.reject(new Error("must not be asked")));
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { error: "invalid_target", error_description: expect.any(String) },
    ]);
  });
});
