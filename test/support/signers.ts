// Keys of domains, as publishers make them with openssl: their record, and signatures in hexadecimal.

export interface Signer {
  /** `v=MCPv1; k=…; p=…`. */
  record: string;
  sign: (message: string) => Promise<string>;
}

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));

/** A new key pair. A point of P-384 is written compressed (SEC 1 §2.3.3), a signature as `r` and `s`. */
export async function newSigner(algorithm: "ed25519" | "ecdsap384"): Promise<Signer> {
  const how = algorithm === "ed25519" ? { name: "Ed25519" } : { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };
  const pair = await crypto.subtle.generateKey(how, true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("no key pair");
  const raw = new Uint8Array((await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer);
  const point = algorithm === "ed25519" ? raw : Uint8Array.of(2 + ((raw.at(-1) ?? 0) & 1), ...raw.slice(1, 49));
  return {
    record: `v=MCPv1; k=${algorithm}; p=${base64(point)}`,
    sign: async (message) =>
      hex(new Uint8Array(await crypto.subtle.sign(how, pair.privateKey, new TextEncoder().encode(message)))),
  };
}
