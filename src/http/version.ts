import { createRequire } from "node:module"
import { Schema } from "effect"

const Manifest = Schema.Struct({ version: Schema.String })

/** The package's version, as package.json says; src/http and dist/http lie equally deep below it. */
export const version = Schema.decodeUnknownSync(Manifest)(createRequire(import.meta.url)("../../package.json")).version
