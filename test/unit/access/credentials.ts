import type { CheckedCredential } from "../../../src/access/credential/authenticate.ts";
import type { Wanted } from "../../../src/access/policy.ts";
import type { CredentialRecord, VersionedRecord } from "../../../src/access/record.ts";
import type { Principal } from "../../../src/access/principal.ts";
import { planOf } from "../../../src/limits/plan.ts";

export const NOW = 1_800_000_000_000;

/** The record of a key that may do everything that its scopes say. */
export const record = (change: Partial<CredentialRecord> = {}): CredentialRecord => ({
  kind: "api_key",
  id: "key-1",
  name: "laptop",
  chainId: "chain-1",
  userId: "user-1",
  tenantId: "tenant-1",
  scopes: ["mcp:tools"],
  isAdministrator: false,
  works: true,
  expiresAt: null,
  disabledUntil: null,
  addresses: null,
  servers: null,
  tools: null,
  plan: planOf({}, {}, null),
  hasOwnRate: false,
  quota: null,
  ...change,
});

export const grantOf = (change: Partial<CredentialRecord> = {}): CredentialRecord =>
  record({ kind: "grant", id: "grant-1", name: null, chainId: "grant-1", scopes: null, ...change });

export const versioned = (change: Partial<CredentialRecord> = {}, version = 3): VersionedRecord => ({
  record: record(change),
  version,
  tenantEpoch: 5,
  userEpoch: 7,
});

export const quota = { max: 10, period: "2027-01", used: 4, endsAt: NOW + 1_000 };

export const KEY: Extract<CheckedCredential, { kind: "api_key" }> = {
  kind: "api_key",
  key: "mrg_live_x",
  hash: "hash-1",
};

export const TOKEN_PRINCIPAL: Principal = {
  credential: { kind: "access_token", id: "token-1", name: null },
  userId: "user-1",
  tenantId: "tenant-1",
  scopes: new Set(["mcp:tools"]),
  clientId: "client-1",
  grantId: "grant-1",
  servers: null,
  tools: null,
  restricted: false,
};

/** A verified access token of a grant; `proof` when it is bound to a key, `clientGrantId` when it is of an administrator's client. */
export const tokenClaim = (
  change: { proof?: { thumbprint: string; id: string; seconds: number }; clientGrantId?: string } = {},
): Extract<CheckedCredential, { kind: "access_token" }> => ({
  kind: "access_token",
  verified: { principal: TOKEN_PRINCIPAL, clientGrantId: change.clientGrantId },
  grant: {
    grantId: "grant-1",
    clientGrantId: change.clientGrantId,
    clientId: "client-1",
    userId: "user-1",
    tenantId: "tenant-1",
  },
  proof: change.proof,
});

export const PROOF = { thumbprint: "thumb", id: "proof-1", seconds: 90 };

/** A call of a tool of an upstream. */
export const wanted = (change: Partial<Wanted> = {}): Wanted => ({
  address: "192.0.2.1",
  scopes: ["mcp:tools"],
  server: "notes",
  tool: "notes__create",
  beyondTools: false,
  ...change,
});
