import { describe, expect, it } from "vitest";
import {
  ADDRESS_SUBJECT,
  forgotPassword,
  isSignedIn,
  linkIn,
  NEW_PASSWORD,
  postWithin,
  RESET_SUBJECT,
} from "../../support/account-forms.ts";
import { newEmail, postJson, signIn, userOf } from "../../support/accounts.ts";
import { formBrowser } from "../../support/browsing.ts";
import { mailsTo, withFault } from "../../support/gateway.ts";
import { newPerson, PASSWORD } from "../../support/oauth.ts";

type Part = "neon" | "upstash";

/** One fault at each of the first requests to Postgres and to Redis, before and after it took effect. */
const faults = (requests: Record<Part, number>) =>
  (["neon", "upstash"] as const).flatMap((part) =>
    ["reset-before", "reset-after-commit"].flatMap((mode) =>
      Array.from({ length: requests[part] }, (_request, index) => ({ part, mode, nth: index + 1 })),
    ),
  );

const failing = <T>({ part, ...how }: { part: Part; mode: string; nth: number }, work: () => Promise<T>) =>
  withFault({ [part]: how }, work);

const works = async (email: string, password: string) =>
  (await postJson("/sign-in/email", { email, password })).status === 200;

const tokenOf = (link: string) => new URLSearchParams(link.split("?")[1]).get("token") ?? "";

/** Somebody with two browsers in which they are signed in. */
async function settledPerson() {
  const [person, browser, other] = [await newPerson(), formBrowser(), formBrowser()];
  for (const one of [browser, other]) await signIn(one, person.email);
  return { ...person, browser, other };
}

describe("a fault while a password is reset", () => {
  it.each(faults({ neon: 2, upstash: 2 }))(
    "I08: leaves the old state or the new one, and the link leads on: $part, $mode at $nth",
    async (fault) => {
      const { email, other } = await settledPerson();
      await forgotPassword(formBrowser(), email);
      const token = tokenOf(await linkIn(email, RESET_SUBJECT));
      const send = () => postJson("/reset-password", { token, newPassword: NEW_PASSWORD });
      const first = await failing(fault, send);
      expect([200, 503]).toContain(first.status);
      const changed = await works(email, NEW_PASSWORD);
      if (first.status === 200) expect(changed).toBe(true);
      expect([await works(email, PASSWORD), await isSignedIn(other)]).toEqual([!changed, !changed]);
      expect((await send()).status).toBe(changed ? 400 : 200);
      expect([await works(email, NEW_PASSWORD), await isSignedIn(other)]).toEqual([true, false]);
    },
  );

  it.each(faults({ neon: 1, upstash: 2 }))(
    "a request for the link is answered with a link or as our failure: $part, $mode at $nth",
    async (fault) => {
      const [{ email }, unknown] = [await newPerson(), newEmail()];
      const statuses = [];
      for (const address of [email, unknown])
        statuses.push((await failing(fault, () => postJson("/request-password-reset", { email: address }))).status);
      // A fault of the mailbox, which comes after the answer, is nobody's to see.
      expect(statuses[0]).toBe(statuses[1]);
      expect([200, 503]).toContain(statuses[0]);
      await postJson("/request-password-reset", { email });
      await linkIn(email, RESET_SUBJECT);
      expect(await mailsTo(unknown)).toEqual([]);
    },
  );
});

describe("a fault while a password is changed", () => {
  it.each(faults({ neon: 5, upstash: 5 }))(
    "leaves the old state or the new one, in which other browsers are out: $part, $mode at $nth",
    async (fault) => {
      const { email, browser, other } = await settledPerson();
      const body = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
      const first = await failing(fault, () => postWithin(browser, "/change-password", body));
      expect([200, 503]).toContain(first.status);
      const changed = await works(email, NEW_PASSWORD);
      if (first.status === 200) expect(changed).toBe(true);
      expect([await works(email, PASSWORD), await isSignedIn(other)]).toEqual([!changed, !changed]);
      if (!changed) {
        expect((await postWithin(browser, "/change-password", body)).status).toBe(200);
        expect([await works(email, NEW_PASSWORD), await isSignedIn(other)]).toEqual([true, false]);
      }
    },
  );
});

describe("a fault while an address is changed", () => {
  it.each(faults({ neon: 4, upstash: 4 }))(
    "leaves the old state or the new one, in which other browsers are out: $part, $mode at $nth",
    async (fault) => {
      const { email, browser, other } = await settledPerson();
      const address = newEmail();
      await postWithin(browser, "/change-email", { newEmail: address, password: PASSWORD });
      const token = tokenOf(await linkIn(address, ADDRESS_SUBJECT));
      const first = await failing(fault, () => postWithin(browser, "/confirm-new-email", { token }));
      expect([200, 503]).toContain(first.status);
      const changed = (await userOf(address)) !== undefined;
      if (first.status === 200) expect(changed).toBe(true);
      expect([(await userOf(email)) !== undefined, await isSignedIn(other)]).toEqual([!changed, !changed]);
      if (!changed) expect((await postWithin(browser, "/confirm-new-email", { token })).status).toBe(200);
      expect([await works(address, PASSWORD), await isSignedIn(other)]).toEqual([true, false]);
    },
  );
});
