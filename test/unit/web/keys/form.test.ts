import { describe, expect, it } from "vitest";
import type { KeyInfo } from "../../../../src/keys/keys.ts";
import {
  atInputs,
  changedTerms,
  EXPIRIES,
  expiryOf,
  entriesOf,
  inOrder,
  inputProblems,
  keyEntries,
  NOTHING_ENTERED,
  readTerms,
} from "../../../../src/web/keys/form.ts";

const NOW = Date.UTC(2026, 10, 21);
const DAY_MS = 86_400_000;

const INFO: KeyInfo = {
  id: "key-1",
  name: "Nightly job",
  start: "mrg_live_abcd",
  tenantId: "personal-u1",
  owner: "user",
  scopes: ["mcp:tools", "audit:read"],
  servers: ["notes", "everything"],
  tools: null,
  addresses: ["203.0.113.0/24"],
  rate: { perMinute: 60, burst: 10 },
  quota: { max: 1000, period: "total", used: 7 },
  status: "active",
  createdAt: new Date(NOW),
  expiresAt: null,
  lastUsedAt: null,
  disabledUntil: null,
  revokedAt: null,
  revokedReason: null,
  rotatedTo: null,
};

const entered = (fields: Readonly<Record<string, string>>) => keyEntries(new URLSearchParams({ ...fields }));
const problemsOf = (fields: Readonly<Record<string, string>>) =>
  inputProblems(readTerms(entered({ scope: "mcp:tools", period: "month", ...fields })), NOW);

describe("the form of a key", () => {
  it("allows everything where it is empty", () => {
    expect(readTerms(NOTHING_ENTERED)).toEqual({
      scopes: ["mcp:tools"],
      servers: null,
      tools: null,
      addresses: null,
      rate: null,
      quota: null,
    });
    expect(inputProblems({ ...readTerms(NOTHING_ENTERED), name: "A name" }, NOW)).toEqual({});
  });

  it("takes one entry per line, whatever ends a line, each once and without what surrounds it", () => {
    const { servers, tools, addresses } = readTerms(
      entered({ servers: "a\r\nb\nc\rb", tools: " \t echo \r\n\r\n", addresses: "\r\n \n" }),
    );
    expect([servers, tools, addresses]).toEqual([["a", "b", "c"], ["echo"], null]);
  });

  it("takes every scope that is ticked, and nothing that is none", () => {
    const form = new URLSearchParams([
      ["scope", "mcp:tools"],
      ["scope", "no:such"],
      ["scope", "audit:read"],
    ]);
    expect(readTerms(keyEntries(form)).scopes).toEqual(["mcp:tools", "audit:read"]);
  });

  it.each([
    [
      { per_minute: "60", burst: "5" },
      { perMinute: 60, burst: 5 },
    ],
    [{ per_minute: "60" }, { perMinute: 60, burst: 60 }],
    [{ burst: "5" }, { perMinute: NaN, burst: 5 }],
    [{ per_minute: "6e1" }, { perMinute: NaN, burst: NaN }],
    [
      { per_minute: "-1", burst: "0x10" },
      { perMinute: NaN, burst: NaN },
    ],
  ])("reads the rate %j as %j", (fields, rate) => {
    expect(readTerms(entered(fields)).rate).toEqual(rate);
  });

  it.each([
    [{ scope: "" }, "scope"],
    [{ servers: "Not a slug" }, "servers"],
    [{ tools: "x".repeat(129) }, "tools"],
    [{ addresses: "203.0.113.7/33" }, "addresses"],
    [{ addresses: "203.0.113.7/24" }, "addresses"],
    [{ per_minute: "0" }, "per_minute"],
    [{ per_minute: "100001" }, "per_minute"],
    [{ burst: "5" }, "per_minute"],
    [{ quota: "1.5" }, "quota"],
    [{ quota: "1", period: "week" }, "quota"],
    [{ quota: "9999999999999999" }, "quota"],
  ])("J14: says of %j what is wrong, at %s", (fields, input) => {
    expect(Object.keys(problemsOf(fields))).toEqual([input]);
  });

  it("says everything that is wrong at once", () => {
    const problems = problemsOf({
      scope: "",
      servers: "A",
      tools: "x".repeat(129),
      addresses: "x",
      burst: "x",
      quota: "x",
    });
    expect(Object.keys(problems).toSorted()).toEqual(["addresses", "per_minute", "quota", "scope", "servers", "tools"]);
  });

  it("says of the fields of a key what is wrong at the inputs that they come from", () => {
    expect(atInputs({ name: "1", scopes: "2", tenantId: "3", expiresAt: "4", rate: "5", owner: "6" })).toEqual({
      name: "1",
      scope: "2",
      tenant: "3",
      expiry: "4",
      per_minute: "5",
      owner: "6",
    });
  });

  it.each(EXPIRIES.map(({ value, days }) => [value, days] as const))("J11: lets a key end: %s", (value, days) => {
    const expiresAt = days === null ? null : new Date(NOW + days * DAY_MS);
    expect(expiryOf(value, NOW)).toEqual(expiresAt);
    expect(inputProblems({ expiresAt }, NOW)).toEqual({});
  });

  it.each(["", "0", "-1", "366", "9999", "NaN", "constructor"])(
    "J11: knows no other end than it offers: %j",
    (value) => {
      expect(expiryOf(value, NOW)).toBeUndefined();
    },
  );

  it("offers scopes in one order", () => {
    expect(inOrder(new Set(["audit:read", "mcp:tools"]))).toEqual(["mcp:tools", "audit:read"]);
  });
});

describe("the form of a key that there is", () => {
  it("shows its terms, and changes nothing when it is sent as it is shown", () => {
    expect(changedTerms(readTerms(entriesOf(INFO)), INFO)).toEqual({});
  });

  it("changes what is other than before, in whatever order a list is", () => {
    const entries = { ...entriesOf(INFO), servers: "everything\nnotes", tools: "echo", quota: "" };
    expect(changedTerms(readTerms(entries), INFO)).toEqual({ tools: ["echo"], quota: null });
  });

  it("J14: leaves a list that allows nothing as it is: the empty input would allow everything", () => {
    const closed = { ...INFO, addresses: [] };
    expect(changedTerms(readTerms(entriesOf(closed)), closed)).toEqual({});
    const opened = { ...entriesOf(closed), addresses: "192.0.2.1" };
    expect(changedTerms(readTerms(opened), closed)).toEqual({ addresses: ["192.0.2.1"] });
  });
});
