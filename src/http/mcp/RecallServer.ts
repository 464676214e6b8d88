import { Effect, Schema } from "effect"
import { recallTool } from "../../chat/excerpt.ts"
import { recall, recallDescription, recallProperties } from "../../orchestrator/recall.ts"
import { version } from "../../version.ts"
import { makeHistory, type Reader } from "../History.ts"
import { searchProblem, translate } from "../toProblem.ts"
import { type Call, invalidParams, noSuchMethod, type RpcError } from "./JsonRpc.ts"

/** Versions of the Model Context Protocol that need nothing else from a server with one tool, the newest first. */
export const protocols = ["2025-11-25", "2025-06-18"] as const
const [newest] = protocols

const serverInfo = { name: "sluice", title: "Sluice", version }

const instructions = `A context that begins with condensed earlier messages may name its conversation (gw_…). Give that name to ${recallTool} to read what was said word for word.`

const conversation = {
  type: "string",
  description:
    "The conversation: its name as the context's beginning says it (gw_…), or the id of a stored conversation"
}

const tool = {
  name: recallTool,
  title: "Look up earlier messages",
  description: recallDescription,
  inputSchema: {
    type: "object",
    properties: { conversation, ...recallProperties },
    required: ["conversation"],
    additionalProperties: false
  },
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false }
}

const Hello = Schema.Struct({ protocolVersion: Schema.String })
const isHello = Schema.is(Hello)

const ToolCall = Schema.Struct({
  name: Schema.Literal(recallTool),
  arguments: Schema.StructWithRest(
    Schema.Struct({ conversation: Schema.String.check(Schema.isBetweenLength(1, 200)) }),
    [Schema.Record(Schema.String, Schema.Unknown)]
  )
})
const isToolCall = Schema.is(ToolCall)

const said = (text: string, isError: boolean) => ({ content: [{ type: "text", text }], isError })

const hello = (params: unknown) => {
  if (!isHello(params)) return Effect.fail(invalidParams("initialize takes { protocolVersion, … }."))
  const protocolVersion = protocols.find((known) => known === params.protocolVersion) ?? newest
  return Effect.succeed({ protocolVersion, capabilities: { tools: {} }, serverInfo, instructions })
}

/** The methods of the Model Context Protocol for one tool. Nothing is kept between two calls: there are no sessions. */
export const makeRecallServer = Effect.gen(function* () {
  const history = yield* makeHistory

  /** What goes wrong with a search is told to the model. */
  const called = (params: unknown, reader: Reader) => {
    if (!isToolCall(params)) {
      return Effect.fail(invalidParams(`The tool is ${recallTool}, and its arguments name a conversation.`))
    }
    const { conversation, ...input } = params.arguments
    return recall(input, (query) =>
      history.search(reader, conversation, query).pipe(
        translate(searchProblem),
        Effect.mapError(({ detail }) => ({ message: detail ?? "" }))
      )
    ).pipe(
      Effect.map((text) => said(text, false)),
      Effect.catch(({ message }) => Effect.succeed(said(message, true)))
    )
  }

  return ({ method, params }: Call, reader: Reader): Effect.Effect<object, RpcError> => {
    switch (method) {
      case "initialize":
        return hello(params)
      case "ping":
        return Effect.succeed({})
      case "tools/list":
        return Effect.succeed({ tools: [tool] })
      case "tools/call":
        return called(params, reader)
      default:
        return Effect.fail(noSuchMethod(method))
    }
  }
})
