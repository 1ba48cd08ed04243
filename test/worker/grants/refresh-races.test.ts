import { describe, expect, it } from "vitest";
import { formBrowser } from "../../support/browsing.ts";
import { callTool } from "../../support/gateway.ts";
import {
  AUTH,
  codeFor,
  json,
  newClient,
  newPerson,
  postForm,
  redeem,
  refresh,
  type Tokens,
} from "../../support/oauth.ts";

const ROUNDS = 50;
/** Milliseconds by which the second of two requests starts later, over the rounds: all that a rotation can be in the middle of. */
const offset = (round: number) => round;
const wait = (milliseconds: number) => new Promise((next) => setTimeout(next, milliseconds));

/** What still works of the tokens that a client holds. */
async function usable(clientId: string, answers: readonly Response[]): Promise<string[]> {
  const works: string[] = [];
  for (const answer of answers) {
    if (answer.status !== 200) continue;
    const tokens = (await json(answer)) as unknown as Tokens;
    if ((await callTool("whoami", {}, { token: tokens.access_token })).status === 200) works.push("access token");
    if ((await refresh(clientId, tokens.refresh_token)).status === 200) works.push("refresh token");
  }
  return works;
}

describe("a refresh that meets a revocation of the same token", () => {
  it("R1: leaves nothing that works, whichever comes first, in each of fifty rounds", async () => {
    const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser()];
    const left: unknown[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const first = await (await redeem(clientId, await codeFor(clientId, person, {}, browser))).json<Tokens>();
      const token = first.refresh_token;
      const refreshing = [refresh(clientId, token), refresh(clientId, token)];
      await wait(offset(round));
      const revoked = await postForm(`${AUTH}/oauth2/revoke`, { client_id: clientId, token });
      expect(revoked.status).toBe(200);
      const answers = await Promise.all(refreshing);
      for (const { status } of answers) expect([200, 400, 503]).toContain(status);
      const works = await usable(clientId, answers);
      if ((await callTool("whoami", {}, { token: first.access_token })).status === 200) works.push("first");
      if (works.length > 0) left.push({ round, works });
    }
    expect(left).toEqual([]);
  });
});
