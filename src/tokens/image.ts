import { Predicate } from "effect"
import type { TokenizerGeneration } from "../models/ModelCatalog.ts"

/** Pixels per token, and the most an image takes after upstream has scaled it (reference: counting tokens, images). */
const pixelsPerToken = 750
const most: Readonly<Record<TokenizerGeneration, number>> = { old: 1_600, new: 4_784 }

/** For an image whose size is not seen: typical of the screenshots in agent conversations. */
const unseen: Readonly<Record<TokenizerGeneration, number>> = { old: 1_300, new: 1_600 }

const pngHeader = "iVBORw0KGgo"

/** Width times height from the header of a PNG in base64. */
const pngPixels = (data: string): number => {
  const header = Buffer.from(data.slice(0, 32), "base64")
  return header.length < 24 ? 0 : header.readUInt32BE(16) * header.readUInt32BE(20)
}

/** Tokens of an image by its source, for each generation. */
export const imageTokens = (source: unknown): Readonly<Record<TokenizerGeneration, number>> => {
  if (!Predicate.hasProperty(source, "data") || typeof source.data !== "string") return unseen
  if (!source.data.startsWith(pngHeader)) return unseen
  const tokens = pngPixels(source.data) / pixelsPerToken
  return tokens === 0 ? unseen : { old: Math.min(most.old, tokens), new: Math.min(most.new, tokens) }
}
