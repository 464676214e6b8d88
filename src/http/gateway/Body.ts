import type { IncomingMessage } from "node:http"
import { promisify } from "node:util"
import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect } from "effect"
import type { HttpServerError, HttpServerRequest } from "effect/http"
import { parseExactly } from "./exactJson.ts"
import { invalid, type Refusal, refusal } from "./Failure.ts"

/** What the Messages API itself accepts. */
export const maxBody = 32 * 1024 * 1024

const tooLarge = refusal(413, "request_too_large", "Request exceeds the maximum size of 32 MB.")
const unread = invalid("The request body could not be read.")

type Outcome = Effect.Effect<Buffer, Refusal>

/** The bytes as they come, without Effect's stream in between. */
const collect = (source: IncomingMessage): Outcome =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    const done = (outcome: Outcome) => {
      source.off("data", onData).off("end", onEnd).off("error", onBreak).off("close", onBreak)
      resume(outcome)
    }
    const onData = (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size > maxBody) done(Effect.fail(tooLarge))
    }
    const [onEnd, onBreak] = [
      () => {
        const [only] = chunks
        done(Effect.succeed(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)))
      },
      () => done(Effect.fail(unread))
    ]
    source.on("data", onData).on("end", onEnd).on("error", onBreak).on("close", onBreak)
  })

const ofServer = (error: HttpServerError.HttpServerError): Refusal =>
  error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge" ? tooLarge : unread

/** The body's bytes, at most 32 MB of them. */
export const readBody = (request: HttpServerRequest.HttpServerRequest): Outcome => {
  const source = NodeHttpServerRequest.toIncomingMessage(request)
  if (Number(source.headers["content-length"] ?? 0) > maxBody) return Effect.fail(tooLarge)
  // Whoever waits for `100 Continue` gets it from the adapter's own reader, which keeps to the server's MaxBodySize.
  if (source.headers.expect !== undefined || source.httpVersionMajor !== 1) {
    return request.arrayBuffer.pipe(
      Effect.map((bytes) => Buffer.from(bytes)),
      Effect.mapError(ofServer)
    )
  }
  // HTTP/1, as the line above made sure.
  return collect(source as IncomingMessage)
}

const options = { maxOutputLength: maxBody }
type Decoder = (bytes: Buffer) => Promise<Buffer>
const decoders: Readonly<Record<string, Decoder>> = {
  gzip: (bytes) => promisify(gunzip)(bytes, options),
  deflate: (bytes) => promisify(inflate)(bytes, options),
  br: (bytes) => promisify(brotliDecompress)(bytes, options),
  zstd: (bytes) => promisify(zstdDecompress)(bytes, options)
}

const isTooLong = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"

/** The same bytes without their `content-encoding`, to be understood; what is sent on stays as it came. */
export const decodeBody = (bytes: Buffer, encoding: string | undefined): Outcome => {
  if (encoding === undefined || encoding === "identity") return Effect.succeed(bytes)
  const decoder = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined
  if (decoder === undefined) return Effect.fail(invalid(`content-encoding: ${encoding} is not understood.`))
  return Effect.tryPromise({
    try: () => decoder(bytes),
    catch: (error) =>
      isTooLong(error) ? tooLarge : invalid(`The request body is not ${encoding}, as its content-encoding says.`)
  })
}

/** JSON, as a copy to be governed by. */
export const parseBody = (bytes: Buffer): Effect.Effect<unknown, Refusal> => {
  try {
    return Effect.succeed(parseExactly(bytes.toString("utf8")))
  } catch {
    return Effect.fail(invalid("The request body is not valid JSON."))
  }
}
