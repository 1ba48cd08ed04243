import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { member, organization } from "../../../src/identity/schema.ts";
import { formBrowser } from "../../support/browsing.ts";
import { callTool, db, origin } from "../../support/gateway.ts";
import {
  authorize,
  authorizePath,
  codeFor,
  json,
  newClient,
  newPerson,
  redeem,
  refresh,
  tokensFor,
} from "../../support/oauth.ts";

describe("the tenant of a grant", () => {
  it("O04: is the one that was active at consent, and gives no more tokens once the person has left it", async () => {
    const person = await newPerson();
    const tenant = `organization-${crypto.randomUUID()}`;
    const createdAt = new Date();
    await db.insert(organization).values({ id: tenant, name: "Organization", slug: tenant, createdAt });
    await db
      .insert(member)
      .values({ id: tenant, organizationId: tenant, userId: person.id, role: "member", createdAt });
    const browser = formBrowser();
    await authorize(browser, authorizePath(await newClient()), person);
    const switched = await browser.send("/api/auth/organization/set-active", {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify({ organizationId: tenant }),
    });
    expect(switched.status).toBe(200);
    const clientId = await newClient();
    const code = await codeFor(clientId, person, {}, browser);
    const tokens = await json(await redeem(clientId, code));
    const who = await callTool("whoami", {}, { token: String(tokens["access_token"]) });
    expect(who.result?.structuredContent).toMatchObject({ tenantId: tenant });
    await db.delete(member).where(eq(member.id, tenant));
    const refused = await refresh(clientId, String(tokens["refresh_token"]));
    expect(refused.status).toBe(400);
    expect(await json(refused)).toMatchObject({ error: "invalid_grant" });
  });

  it("G01: the token endpoint takes no parameter twice, so that no token is made in the name of another grant", async () => {
    const person = await newPerson();
    const clientId = await newClient();
    const first = await tokensFor(clientId, person);
    const second = await tokensFor(clientId, person);
    const refused = await refresh(clientId, first.refresh_token, {
      refresh_token: [first.refresh_token, second.refresh_token],
    });
    expect(refused.status).toBe(400);
    expect(await json(refused)).toMatchObject({ error: "invalid_request" });
    expect((await refresh(clientId, second.refresh_token)).status).toBe(200);
  });
});
