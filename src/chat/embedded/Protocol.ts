/** The few messages of the Postgres wire protocol (version 3) that stand between a client and a PGlite backend. */

const encoder = new TextEncoder()

export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export const readInt32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(at)

const decoder = new TextDecoder()

/** The zero-terminated name at `at`. */
export const readName = (bytes: Uint8Array, at: number): string =>
  decoder.decode(bytes.subarray(at, bytes.indexOf(0, at)))

const int32 = (...values: ReadonlyArray<number>): Uint8Array => {
  const out = new Uint8Array(values.length * 4)
  const view = new DataView(out.buffer)
  values.forEach((value, i) => {
    view.setInt32(i * 4, value)
  })
  return out
}

const strings = (...values: ReadonlyArray<string>): Uint8Array => encoder.encode(values.map((v) => `${v}\0`).join(""))

const message = (type: string, body: Uint8Array = new Uint8Array(0)): Uint8Array<ArrayBuffer> =>
  concat([encoder.encode(type), int32(4 + body.length), body])

export const code = (letter: string): number => letter.charCodeAt(0)

/** Sent untyped, before the session starts. */
export const request = { ssl: 80877103, cancel: 80877102 }
export const refuseSsl = encoder.encode("N")

const parameters: ReadonlyArray<readonly [string, string]> = [
  ["server_version", "18.0 (PGlite)"],
  ["server_encoding", "UTF8"],
  ["client_encoding", "UTF8"],
  ["DateStyle", "ISO, MDY"],
  ["TimeZone", "UTC"],
  ["integer_datetimes", "on"],
  ["standard_conforming_strings", "on"]
]

/** Authenticated, the parameters a client looks at, its session number, ready. */
export const greeting = (session: number): Uint8Array =>
  concat([
    message("R", int32(0)),
    ...parameters.map(([name, value]) => message("S", strings(name, value))),
    message("K", int32(session, 0)),
    message("Z", encoder.encode("I"))
  ])

const simpleQuery = (sql: string): Uint8Array<ArrayBuffer> => message("Q", strings(sql))

export const rollback = simpleQuery("ROLLBACK")
export const checkpoint = () => simpleQuery("CHECKPOINT")
export const closeStatements = (names: Iterable<string>): Uint8Array<ArrayBuffer> =>
  concat([...Array.from(names, (name) => message("C", strings(`S${name}`))), message("S")])

export interface Answer {
  readonly frames: ReadonlyArray<Uint8Array>
  /** NotificationResponse frames: for every session, not only for the one that asked. */
  readonly notifications: ReadonlyArray<Uint8Array>
  readonly inTransaction: boolean
}

/** Takes a backend's bytes apart without copying them. */
export const readAnswer = (data: Uint8Array): Answer => {
  const frames: Array<Uint8Array> = []
  const notifications: Array<Uint8Array> = []
  let inTransaction = false
  let start = 0
  for (let at = 0; at + 5 <= data.length; ) {
    const end = at + 1 + readInt32(data, at + 1)
    if (data[at] === code("A")) {
      if (at > start) frames.push(data.subarray(start, at))
      notifications.push(data.subarray(at, end))
      start = end
    } else if (data[at] === code("Z")) inTransaction = data[at + 5] !== code("I")
    at = end
  }
  if (start < data.length) frames.push(data.subarray(start))
  return { frames, notifications, inTransaction }
}
