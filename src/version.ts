import { createRequire } from "node:module"
import { Schema } from "effect"

const Manifest = Schema.Struct({ version: Schema.String })

/** The package's version, as package.json says; src and dist lie side by side. */
export const version = Schema.decodeUnknownSync(Manifest)(createRequire(import.meta.url)("../package.json")).version
