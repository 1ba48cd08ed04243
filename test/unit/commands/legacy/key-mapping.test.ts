import { describe, expect, it } from "vitest";
import { mergeDuplicates } from "../../../../commands/legacy/duplicates.ts";
import { mapEnhancedKey, type EnhancedKey } from "../../../../commands/legacy/enhanced-mapping.ts";
import { betterAuthHash, mapKey, type NewKey, type OldKey } from "../../../../commands/legacy/key-mapping.ts";

const NOW = Date.UTC(2026, 0, 15);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const HASH = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg";

const old = (row: Partial<OldKey> = {}): OldKey => ({
  source: "apiKey",
  id: "key",
  userId: "ada",
  name: "Key",
  start: "old_",
  prefix: null,
  hash: HASH,
  enabled: true,
  expiresAt: null,
  revokedAt: null,
  remaining: null,
  refillAmount: null,
  refillInterval: null,
  filledAt: NOW - DAY,
  rateLimitEnabled: true,
  rateLimitMax: null,
  rateLimitTimeWindow: null,
  permissions: '{"mcp":["tools"]}',
  metadata: null,
  lastRequest: null,
  createdAt: NOW - 9 * DAY,
  updatedAt: NOW - DAY,
  ...row,
});

describe("the hash of an old key", () => {
  it.each([
    ["base64url stays", HASH, HASH],
    ["hexadecimal is converted", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", HASH],
    ["upper case as well", "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08", HASH],
    ["padding is another form", `${HASH}=`, undefined],
    ["so is a shorter text", HASH.slice(1), undefined],
    ["a line break is none of it", `${HASH}\n`, undefined],
    ["and plain text", "old_key", undefined],
  ])("R5: %s", (_, text, expected) => {
    expect(betterAuthHash(text)).toBe(expected);
  });
});

describe("a carried over key", () => {
  it.each<[string, Partial<OldKey>, Partial<NewKey>]>([
    ["keeps a small total", { remaining: 3 }, { quotaMax: 3, quotaPeriod: "total", enabled: true }],
    ["is disabled when used up", { remaining: 0 }, { quotaMax: 0, quotaPeriod: "total", enabled: false }],
    [
      "gets a month's refills",
      { remaining: 3, refillAmount: 10, refillInterval: DAY },
      { quotaMax: 300, quotaPeriod: "month" },
    ],
    [
      "gets them rounded up",
      { remaining: 3, refillAmount: 10, refillInterval: 7 * DAY },
      { quotaMax: 50, quotaPeriod: "month" },
    ],
    [
      "keeps more calls than a month's refills",
      { remaining: 99, refillAmount: 1, refillInterval: 30 * DAY },
      { quotaMax: 99 },
    ],
    [
      "stays within exact numbers",
      { remaining: 1, refillAmount: 2 ** 31 - 1, refillInterval: 1 },
      { quotaMax: Number.MAX_SAFE_INTEGER },
    ],
    [
      "waits for its refill",
      { remaining: 0, refillAmount: 1, refillInterval: 2 * DAY },
      { disabledUntil: NOW + DAY, enabled: true },
    ],
    [
      "does not wait when the refill is due",
      { remaining: 0, refillAmount: 1, refillInterval: HOUR },
      { disabledUntil: null },
    ],
    ["has no quota without a count", { refillAmount: 1, refillInterval: HOUR }, { quotaMax: null, quotaPeriod: null }],
    ["rounds its rate up", { rateLimitMax: 100, rateLimitTimeWindow: HOUR }, { perMinute: 2, burst: 100 }],
    [
      "is limited unless the old row says it is not",
      { rateLimitEnabled: null, rateLimitMax: 5, rateLimitTimeWindow: 60_000 },
      { perMinute: 5, burst: 5 },
    ],
    [
      "is not limited when it was not",
      { rateLimitEnabled: false, rateLimitMax: 5, rateLimitTimeWindow: 60_000 },
      { perMinute: null, burst: null },
    ],
    ["is not limited without a window", { rateLimitMax: 5 }, { perMinute: null, burst: null }],
    [
      "keeps its rate within Postgres' integers",
      { rateLimitMax: 2 ** 31 - 1, rateLimitTimeWindow: 1 },
      { perMinute: 2 ** 31 - 1 },
    ],
    [
      "keeps known permissions",
      { permissions: '{"keys":["read","x"],"y":["z"]}' },
      { scopes: ["keys:read"], named: true },
    ],
    ["drops OpenID claims", { permissions: '{"email":["*"],"mcp":["tools"]}' }, { scopes: ["mcp:tools"] }],
    [
      "gets the default without permissions",
      { permissions: null },
      { scopes: ["mcp:tools", "mcp-registry:read"], named: false },
    ],
    [
      "gets the default with unknown ones",
      { permissions: '{"files":["read"]}' },
      { scopes: ["mcp:tools", "mcp-registry:read"] },
    ],
    ["gets the default with unreadable ones", { permissions: "{" }, { scopes: ["mcp:tools", "mcp-registry:read"] }],
    ["leaves unreadable metadata out", { metadata: "{" }, { metadata: null }],
    ["never expires if it never did", { expiresAt: Infinity }, { expiresAt: null }],
    ["is expired if it always was", { expiresAt: -Infinity }, { expiresAt: 0 }],
    ["is disabled when revoked", { revokedAt: NOW + DAY }, { enabled: false, revokedAt: NOW + DAY }],
  ])("R5: %s", (_, row, expected) => {
    expect(mapKey(old(row), HASH, NOW)).toMatchObject(expected);
  });
});

describe("several rows of one key", () => {
  const merged = (...rows: [Partial<OldKey>, ...Partial<OldKey>[]]) => {
    const [first, ...others] = rows.map((row) => mapKey(old(row), HASH, NOW));
    return mergeDuplicates([first ?? mapKey(old(), HASH, NOW), ...others]);
  };

  it.each<[string, Partial<OldKey>, Partial<OldKey>, Partial<NewKey>]>([
    ["expiry", { expiresAt: NOW + DAY }, {}, { expiresAt: NOW + DAY }],
    ["expiry of both", { expiresAt: NOW + DAY }, { expiresAt: NOW + HOUR }, { expiresAt: NOW + HOUR }],
    ["disabling", {}, { enabled: false }, { enabled: false }],
    ["revocation", {}, { revokedAt: NOW }, { revokedAt: NOW, enabled: false }],
    [
      "total before month",
      { remaining: 9, refillAmount: 1, refillInterval: DAY },
      { remaining: 50 },
      { quotaMax: 50, quotaPeriod: "total" },
    ],
    ["quota before none", {}, { remaining: 5 }, { quotaMax: 5, quotaPeriod: "total" }],
    ["smaller quota", { remaining: 4 }, { remaining: 5 }, { quotaMax: 4 }],
    [
      "rate",
      { rateLimitMax: 9, rateLimitTimeWindow: 60_000 },
      { rateLimitMax: 60, rateLimitTimeWindow: 3_600_000 },
      { perMinute: 1, burst: 9 },
    ],
    ["scopes", { permissions: '{"mcp":["tools"],"keys":["read"]}' }, {}, { scopes: ["mcp:tools"] }],
    [
      "named scopes before the default",
      { permissions: null },
      { permissions: '{"keys":["read"]}' },
      { scopes: ["keys:read"] },
    ],
    [
      "the default of both",
      { permissions: null },
      { permissions: null },
      { scopes: ["mcp:tools", "mcp-registry:read"] },
    ],
  ])("R5: the stricter one decides: %s", (_, a, b, expected) => {
    expect(merged(a, b)).toMatchObject(expected);
    expect(merged(b, a)).toMatchObject(expected);
    expect(merged({}, {}).notes).toEqual([]);
  });

  it("are told apart from equal ones, and so are several owners", () => {
    expect(merged({}, { enabled: false }).notes).toContain(
      "the rows of this key differ: the stricter settings were taken",
    );
    const owners = merged({ userId: "ada" }, { userId: "bo" });
    expect(owners.userId).toBe("ada");
    expect(owners.notes).toEqual(["the rows of this key have several owners: ada keeps it"]);
  });
});

describe("a salted key", () => {
  const salted = (row: Partial<EnhancedKey>) =>
    mapEnhancedKey(
      {
        id: "key",
        userId: "ada",
        name: "Key",
        keyPrefix: "enhanced_key",
        keyHash: "AB".repeat(32),
        salt: "00",
        hashAlgo: "sha256",
        scopes: [],
        addresses: null,
        lockedUntil: null,
        circuitState: "closed",
        isActive: true,
        expiresAt: null,
        lastUsedAt: null,
        createdAt: NOW,
        ...row,
      },
      NOW,
    );

  it.each<[string, Partial<EnhancedKey>, object]>([
    ["its hash in lower case", {}, { keyHash: "ab".repeat(32), enabled: true, addresses: null }],
    ["its lock", { lockedUntil: NOW + DAY }, { disabledUntil: NOW + DAY, enabled: true }],
    ["a lock without end as disabled", { lockedUntil: Infinity }, { disabledUntil: null, enabled: false }],
    ["an open circuit as disabled", { circuitState: "open" }, { enabled: false }],
    ["a half open circuit as enabled", { circuitState: "half_open" }, { enabled: true }],
    ["its addresses", { addresses: ["192.0.2.0/24", null] }, { addresses: ["192.0.2.0/24"] }],
    ["a list of nothing as such", { addresses: [null] }, { addresses: [] }],
    ["an empty list as none", { addresses: [] }, { addresses: null }],
    ["known scopes", { scopes: ["files", "keys:read"] }, { scopes: ["keys:read"] }],
    ["the default scopes for unknown ones", { scopes: ["files"] }, { scopes: ["mcp:tools", "mcp-registry:read"] }],
  ])("R5: keeps %s", (_, row, expected) => {
    expect(salted(row)).toMatchObject(expected);
  });

  it("is refused when its hash cannot be any key's", () => {
    expect(salted({ keyHash: "ab" })).toBeUndefined();
  });
});
