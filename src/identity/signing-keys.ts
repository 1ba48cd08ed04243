import type { Jwk } from "better-auth/plugins/jwt";
import { sql } from "drizzle-orm";
import type { JWK } from "jose";
import type { Db } from "../platform/postgres/db.ts";
import { uuidv7 } from "../platform/crypto.ts";

const FRESH_MS = 300_000;
const REFETCH_MS = 5_000;

/**
 * The keys that sign our tokens, cached per isolate. Better Auth reads and adds them through `adapter`; private parts
 * stay encrypted.
 */
export interface SigningKeys {
  adapter: {
    getJwks: () => Promise<Jwk[]>;
    createJwk: (key: Omit<Jwk, "id">) => Promise<Jwk>;
  };
  /**
   * The public key set (RFC 7517). With `unknownKid`, reads Postgres again unless that happened within five seconds.
   */
  publicKeys: (unknownKid?: boolean) => Promise<JWK[]>;
}

interface Row extends Record<string, unknown> {
  id: string;
  public_key: string;
  private_key: string;
  created_at: string;
  expires_at: string | null;
  alg: string | null;
  crv: string | null;
}

/**
 * Signing keys in the table `jwks`. Read once in five minutes per isolate, so that verifying a token costs no round
 * trip.
 */
export function signingKeys(db: Pick<Db, "execute">, now: () => number = Date.now): SigningKeys {
  let cached: { keys: Jwk[]; publicKeys: JWK[]; at: number } | undefined;

  async function read(maxAgeMs: number): Promise<{ keys: Jwk[]; publicKeys: JWK[] }> {
    if (cached && cached.keys.length > 0 && now() - cached.at < maxAgeMs) return cached;
    const { rows } = await db.execute<Row>(
      sql`select id, public_key, private_key, created_at, expires_at, alg, crv from jwks order by created_at`,
    );
    const keys = rows.map(toJwk);
    cached = { keys, publicKeys: keys.map(toPublicJwk), at: now() };
    return cached;
  }

  return {
    adapter: {
      getJwks: async () => (await read(FRESH_MS)).keys,
      createJwk: async (key) => {
        const id = uuidv7(now());
        await db.execute(sql`insert into jwks (id, public_key, private_key, created_at, expires_at, alg, crv)
          values (${id}, ${key.publicKey}, ${key.privateKey}, ${key.createdAt.toISOString()},
                  ${key.expiresAt?.toISOString() ?? null}, ${key.alg ?? null}, ${key.crv ?? null})`);
        cached = undefined;
        return { ...key, id };
      },
    },
    publicKeys: async (unknownKid = false) => (await read(unknownKid ? REFETCH_MS : FRESH_MS)).publicKeys,
  };
}

function toJwk(row: Row): Jwk {
  return {
    id: row.id,
    publicKey: row.public_key,
    privateKey: row.private_key,
    createdAt: new Date(`${row.created_at}Z`),
    ...(row.expires_at === null ? {} : { expiresAt: new Date(`${row.expires_at}Z`) }),
    ...(row.alg === null ? {} : { alg: row.alg as NonNullable<Jwk["alg"]> }),
    ...(row.crv === null ? {} : { crv: row.crv as NonNullable<Jwk["crv"]> }),
  };
}

function toPublicJwk(key: Jwk): JWK {
  return { ...(JSON.parse(key.publicKey) as JWK), kid: key.id, use: "sig", ...(key.alg ? { alg: key.alg } : {}) };
}
