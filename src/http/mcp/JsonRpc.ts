import { Schema } from "effect"

const Id = Schema.Union([Schema.String.check(Schema.isMaxLength(200)), Schema.Finite])
export type Id = typeof Id.Type

/** One message of a client: a call, or without an id a notification. */
export const Call = Schema.Struct({
  jsonrpc: Schema.Literal("2.0"),
  id: Schema.optionalKey(Id),
  method: Schema.String,
  params: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
})
export interface Call extends Schema.Schema.Type<typeof Call> {}

/** What a call fails with; the codes are JSON-RPC's own. */
export class RpcError extends Schema.TaggedError<RpcError>()("RpcError", {
  code: Schema.Int,
  message: Schema.String
}) {}

export const unreadable = new RpcError({ code: -32700, message: "The body is no JSON." })
export const notACall = new RpcError({ code: -32600, message: "Send one JSON-RPC 2.0 call or notification." })
export const noSuchMethod = (method: string) =>
  new RpcError({ code: -32601, message: `There is no method "${method.slice(0, 100)}" here.` })
export const invalidParams = (message: string) => new RpcError({ code: -32602, message })

export const succeeded = (id: Id, result: object) => ({ jsonrpc: "2.0", id, result })

export const failed = (id: Id | null, { code, message }: RpcError) => ({ jsonrpc: "2.0", id, error: { code, message } })
