import { hash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { zstdDecompressSync } from "node:zlib"

// A worker starts with this file, so it imports nothing large.

/** A directory or a file of a pack; `size` in bytes, undefined for a directory. */
interface Entry {
  readonly path: string
  readonly size: number | undefined
}

/** A line each: the size (`-` for a directory), and the path. */
const encodeList = (entries: ReadonlyArray<Entry>): string =>
  entries.map(({ path, size }) => `${size ?? "-"} ${path}`).join("\n")

const decodeList = (text: string): ReadonlyArray<Entry> =>
  text.split("\n").map((line) => {
    const [, size, path = ""] = /^(\d+|-) (.+)$/.exec(line) ?? []
    return { path, size: size === "-" ? undefined : Number(size) }
  })

const digestLength = 32
const lengthOfLength = 4

const digestOf = (bytes: Uint8Array): Buffer => hash("sha256", bytes, "buffer")

/** Everything in a directory as one buffer: a list of its entries, then the contents of its files. */
export const read = (directory: string): Buffer => {
  const contents: Array<Buffer> = []
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" }).sort()
  const entries = paths.map((path): Entry => {
    if (statSync(join(directory, path)).isDirectory()) return { path, size: undefined }
    const content = readFileSync(join(directory, path))
    contents.push(content)
    return { path, size: content.length }
  })
  const list = Buffer.from(encodeList(entries))
  const length = Buffer.alloc(lengthOfLength)
  length.writeUInt32LE(list.length)
  return Buffer.concat([length, list, ...contents])
}

/** As it stands in a file: a digest, and what it is of. */
export const sealed = (compressed: Uint8Array): Buffer => Buffer.concat([digestOf(compressed), compressed])

/** What an error says when it is the pack's fault: the only thing that crosses from a thread to another. */
export const damaged = "the pack is damaged"

const opened = (file: Buffer): Buffer => {
  const compressed = file.subarray(digestLength)
  if (!digestOf(compressed).equals(file.subarray(0, digestLength))) throw new Error(damaged)
  return zstdDecompressSync(compressed)
}

/** Writes what `file` holds into an existing, empty directory. Throws when the pack is damaged or the disk is full. */
export const unpack = (file: string, directory: string): void => {
  const bytes = opened(readFileSync(file))
  let at = lengthOfLength + bytes.readUInt32LE(0)
  const entries = decodeList(bytes.toString("utf8", lengthOfLength, at))
  // In order of their paths, so that a directory comes before what is in it.
  for (const { path, size } of entries) {
    if (size === undefined) mkdirSync(join(directory, path))
    else writeFileSync(join(directory, path), bytes.subarray(at, at + size))
    at += size ?? 0
  }
}
