import { describe, expect, it } from "vitest";
import { session, visitor } from "../scripted.ts";

const FORMS = [
  "/forgot-password",
  "/reset-password",
  ...["name", "password", "email", "delete", "confirm-address"].map((name) => `/dashboard/account/${name}`),
];

describe("a form of an account", () => {
  it.each(FORMS)("Q03: that another site sends to %s asks Better Auth nothing", async (path) => {
    const { person, asked } = visitor({});
    for (const headers of [{ origin: "https://evil.example.com" }, { origin: "null", "sec-fetch-site": "cross-site" }])
      expect((await person.post(path, {}, headers)).status).toBe(403);
    await person.get("/sign-in");
    expect((await person.post(path, { email: "a@example.com" })).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it("Q03: to delete an account takes no token of another form of the same page", async () => {
    const { person, asked } = visitor({ "/get-session": session() });
    const page = await person.get("/dashboard/account");
    const [, token = ""] = /action="\/dashboard\/account\/name"[^]*?name="form" value="([^"]+)"/.exec(page.html) ?? [];
    expect(token).not.toBe("");
    const before = asked.length;
    expect((await person.post("/dashboard/account/delete", { form: token })).status).toBe(403);
    expect(asked).toHaveLength(before);
  });
});

describe("the pages of an account", () => {
  it.each(["/forgot-password", "/reset-password?token=x", "/dashboard/account", "/dashboard/account/confirm-address"])(
    "Q04: are not kept and send their address nowhere, have labelled inputs and no script: %s",
    async (path) => {
      const { headers, html } = await visitor({ "/get-session": session() }).person.get(path);
      expect(Object.fromEntries(headers)).toMatchObject({
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
      });
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(html.match(/<script|javascript:|\son\w+=/i)).toBeNull();
      const inputs = [...html.matchAll(/<input id="([^"]+)"/g)].map(([, id]) => id);
      expect([...html.matchAll(/<label for="([^"]+)"/g)].map(([, id]) => id)).toEqual(inputs);
      expect(new Set(inputs).size).toBe(inputs.length);
      expect(html.match(/autocomplete="/g) ?? []).toHaveLength(inputs.length);
    },
  );

  it("show names and addresses of others as text only", async () => {
    const text = `<b onclick="x">"'&\u202e`;
    const answers = {
      "/get-session": session({ name: text, email: text }),
      "/delete-user": { status: 409, body: { code: "LAST_OWNER", organizations: [text, 1] } },
    };
    const { person } = visitor(answers);
    const page = await person.get("/dashboard/account");
    const refused = await person.submit(page, "/dashboard/account/delete", {
      delete_email: text,
      delete_password: "x",
    });
    expect(refused.status).toBe(409);
    for (const { html } of [page, refused]) {
      expect(html).not.toContain("<b onclick");
      expect(html.replaceAll(/value="[^"]*"/g, "")).not.toContain("\u202e");
    }
  });

  it.each([
    ["name", { name: "A" }, "/update-user"],
    ["password", { current_password: "x", new_password: "y" }, "/change-password"],
    ["email", { new_email: "a@example.com", email_password: "x" }, "/change-email"],
    ["delete", { delete_email: "a@example.com", delete_password: "x" }, "/delete-user"],
  ] as const)("lead to the login when the session has ended, and tell a wait: %s", async (form, fields, path) => {
    for (const [answer, expected] of [
      [{ status: 401 }, 303],
      [{ status: 429, headers: { "x-retry-after": "120" } }, 429],
    ] as const) {
      const { person } = visitor({ "/get-session": session(), [path]: answer });
      const page = await person.get("/dashboard/account");
      const told = await person.submit(page, `/dashboard/account/${form}`, fields);
      expect(told.status).toBe(expected);
      if (expected === 429) expect(told.html).toContain("Wait 2 minutes");
      else expect(told.location).toBe("/sign-in?next=%2Fdashboard%2Faccount");
    }
  });
});
