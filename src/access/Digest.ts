import { hash, randomBytes, timingSafeEqual } from "node:crypto"

/** Tokens made here begin with this, so that none of them is ever mistaken for a key of upstream's. */
export const tokenPrefix = "sluice_"

/** SHA-256, hex: what is kept of a token. A token made here has 256 random bits, so that no salt or stretching is needed. */
export const digestOf = (token: string): string => hash("sha256", token)

export const freshToken = (): string => `${tokenPrefix}${randomBytes(32).toString("base64url")}`

/** In constant time; both are digests, so that they have one length. */
export const isSameDigest = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(a), Buffer.from(b))
