import { describe, expect, it } from "vitest";
import { introspect } from "../../../../src/oauth/token/introspect.ts";
import type { IntrospectionDeps } from "../../../../src/access/verification/introspection.ts";
import { oauthError } from "../../../../src/oauth/answers.ts";

/** No token is known; whoever asks Postgres for one is counted. */
function store() {
  const asked: string[] = [];
  const deps = {
    db: {
      execute: async () => {
        asked.push("token");
        return { rows: [] };
      },
    },
    origin: "https://gateway.example.com",
  } as unknown as IntrospectionDeps;
  return { asked, deps };
}

const known = Response.json({ clientId: "server", resources: [] });

async function ask(body: string, answer: Response = known.clone(), authorization?: string) {
  const { asked, deps } = store();
  const response = await introspect(deps, { body, authorization, now: 0 }, async (form) => {
    asked.push(form);
    return answer;
  });
  return { asked, response, body: await response.json() };
}

describe("a request for introspection", () => {
  it("shows the framework the credentials and not the token", async () => {
    const { asked, body, response } = await ask("client_id=a&client_secret=b&token=t&token_type_hint=h");
    expect(asked).toEqual(["client_id=a&client_secret=b", "token"]);
    expect([response.status, body]).toEqual([200, { active: false }]);
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  it("asks nobody anything without credentials", async () => {
    const { asked, response } = await ask("token=t");
    expect([response.status, asked]).toEqual([401, []]);
    expect(response.headers.get("www-authenticate")).toBe("Basic");
  });

  it("asks nothing about the token when the client is unknown, and says 401 however the framework says it", async () => {
    for (const status of [400, 401]) {
      const { asked, response, body } = await ask("client_id=a&token=t", oauthError(status, "invalid_client", "no"));
      expect(asked).toEqual(["client_id=a"]);
      expect([response.status, body]).toEqual([401, { error: "invalid_client", error_description: "no" }]);
      expect(response.headers.get("www-authenticate")).toBe("Basic");
    }
  });

  it("hands on other refusals and faults as they are", async () => {
    for (const [status, error] of [
      [503, "temporarily_unavailable"],
      [400, "invalid_request"],
      [429, "temporarily_unavailable"],
    ] as const) {
      const { response, body } = await ask("token=t", oauthError(status, error, "x"), "Basic x");
      expect([response.status, body]).toEqual([status, { error, error_description: "x" }]);
    }
  });

  it.each(["token=a&token=b", "client_id=a&client_id=b&token=t", "resource=a&resource=b&token=t&client_id=a"])(
    "takes no parameter twice: %s",
    async (form) => {
      const { asked, response, body } = await ask(form);
      expect([response.status, asked]).toEqual([400, []]);
      expect(body).toMatchObject({ error: "invalid_request" });
    },
  );
});
