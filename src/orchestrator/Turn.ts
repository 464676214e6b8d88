import { Clock, Effect, Stream } from "effect"
import type { PreparedContext, Shell } from "../context/ContextManager.ts"
import { makeCollector } from "../domain/AnswerCollector.ts"
import { type Caller, defaultCaller } from "../domain/Caller.ts"
import type { Agent, Conversation } from "../domain/Conversation.ts"
import { askedUpstream } from "../domain/Event.ts"
import { type Content, isText, type ToolResultBlock } from "../domain/Message.ts"
import type { AssistantMessage, MessagesRequest, StreamEvent } from "../domain/MessagesRequest.ts"
import type { Events } from "../events/Events.ts"
import type { Governor, GovernorError, Settlement } from "../governor/Governor.ts"
import type { Model } from "../models/ModelCatalog.ts"
import * as Agents from "./agents.ts"
import { CacheWatch } from "./CacheWatch.ts"
import { callsOf, makeTranscript, type TranscriptDeps } from "./Transcript.ts"
import type { OrchestratorError, SendOptions, Tool, TurnEvent } from "./TurnEvent.ts"
import { TooManyToolRounds } from "./TurnEvent.ts"
import { interrupted, notRun, runTools } from "./tools.ts"

export interface TurnDeps extends TranscriptDeps {
  readonly governor: Governor["Service"]
  readonly builtins: ReadonlyArray<Tool>
  readonly agentTools: ReadonlySet<string>
  readonly maxContextTokens: number
  readonly events: Events["Service"]
}

/** One user message and what is needed to answer it. */
export interface Turn {
  readonly conversation: Conversation
  /** As it was named. */
  readonly modelId: string
  readonly model: Model
  readonly content: Content
  readonly options: SendOptions
  readonly emit: (event: TurnEvent) => Effect.Effect<unknown>
}

type ToolBox = ReadonlyMap<string, Tool>

interface Answer {
  readonly message: AssistantMessage
  /** Where it was stored. */
  readonly seq: number
  readonly settlement: Settlement
}

interface Asked {
  readonly prepared: PreparedContext
  readonly answer: Answer
}

/** Answers after which asking once more brings nothing, whatever they call. */
const final: ReadonlySet<string | null> = new Set(["refusal", "model_context_window_exceeded"])

/** Upstream has paused in its own tools: what it has so far is sent back behind the same messages, and it goes on. */
const continuing = ({ answer: { message }, prepared }: Asked): PreparedContext | undefined => {
  const content = message.content.filter((block) => !isText(block) || block.text.trim() !== "")
  if (message.stop_reason !== "pause_turn" || content.length === 0) return undefined
  return { ...prepared, compaction: undefined, messages: [...prepared.messages, { role: "assistant", content }] }
}

/** Output tokens of one answer, unless the caller says otherwise. */
const defaultMaxTokens = 8_192
/** Rounds of tool calls in one turn, unless the caller says otherwise. */
const defaultToolRounds = 50

const agentOf = ({ agent }: SendOptions): string => agent ?? defaultCaller.agent

const callerOf = ({ conversation, options }: Turn): Caller => ({
  tenant: conversation.tenant,
  agent: agentOf(options),
  conversation: conversation.id,
  priority: options.priority ?? (options.agent === undefined ? "interactive" : "normal"),
  // Who names a model gets it; otherwise routing may choose.
  task: (options.model ?? conversation.model) === null ? "main" : undefined
})

/** An alias means nothing to upstream; what the catalog does not know, upstream may. */
const idOf = ({ model, modelId }: Turn): string => (model.estimated ? modelId : model.id)

const requestOf = (turn: Turn, prepared: PreparedContext, previousMessage: string | null): MessagesRequest => ({
  model: idOf(turn),
  max_tokens: turn.options.maxTokens ?? Math.min(defaultMaxTokens, turn.model.maxOutput),
  ...(prepared.system === undefined ? {} : { system: prepared.system }),
  ...(prepared.tools === undefined ? {} : { tools: prepared.tools }),
  ...(prepared.cacheControl === undefined ? {} : { cache_control: prepared.cacheControl }),
  messages: prepared.messages,
  // Upstream says why its cache did not serve, if it did not.
  diagnostics: { previous_message_id: previousMessage },
  stream: true
})

const textOf = ({ delta, type }: StreamEvent): string | undefined => {
  if (type !== "content_block_delta" || typeof delta !== "object" || delta === null) return undefined
  return "text" in delta && typeof delta.text === "string" ? delta.text : undefined
}

const shellOf = (turn: Turn, tools: ToolBox): Shell => ({
  model: idOf(turn),
  system: turn.options.system,
  tools: [...tools.values()].map((tool) => tool.definition)
})

const statisticsOf = (prepared: PreparedContext, maxContextTokens: number) => ({
  tokens: prepared.estimatedTokens,
  rawTokens: prepared.rawTokens,
  reduction: prepared.rawTokens === 0 ? 0 : Math.max(0, 1 - prepared.estimatedTokens / prepared.rawTokens),
  percentOfLimit: (100 * prepared.upperBound) / maxContextTokens,
  segments: prepared.entries.filter((entry) => entry.segment).length
})

type UpstreamError = Extract<GovernorError, { readonly _tag: "ClaudeError" }>

/** A 400 that names thinking, a signature or a compaction block: what of a prepared history upstream may refuse. */
const isAboutHistory = ({ reason }: UpstreamError): boolean =>
  reason._tag === "Rejected" &&
  reason.status === 400 &&
  /signature|thinking|compaction/i.test(JSON.stringify(reason.body) ?? "")

export const makeTurns = (deps: TurnDeps) => {
  const { agentTools, builtins, context, governor, maxContextTokens, repo } = deps
  const transcript = makeTranscript(deps)
  const watch = new CacheWatch()

  const store = (turn: Turn, role: "assistant" | "user", content: Content) =>
    Effect.map(
      transcript.append(turn.conversation.id, turn.model.id, [{ role, content }]),
      (stored) => stored.at(-1)?.seq
    )

  /** Asks the model once and tells the text as it comes. The answer is stored before anybody acts on it. */
  const ask = Effect.fnUntraced(function* (turn: Turn, prepared: PreparedContext) {
    const { estimatedTokens: sentTokens, rawTokens } = prepared
    const request = requestOf(turn, prepared, watch.previousMessage(turn.conversation.id))
    const headers = prepared.betas.length === 0 ? undefined : { "anthropic-beta": prepared.betas.join(",") }
    const stream = yield* governor.stream(request, callerOf(turn), { rawTokens, sentTokens, headers })
    const collector = makeCollector()
    yield* Stream.runForEach(stream.events, (event) => {
      collector.push(event)
      const text = textOf(event)
      return text === undefined || text === "" ? Effect.void : turn.emit({ _tag: "TextDelta", text })
    })
    const { message } = collector.collected()
    if (message === undefined) return yield* Effect.die(new Error("The governor ended a stream that never began."))
    // What was paid for is kept, also when the reader leaves now. Upstream takes no message without content.
    const seq =
      message.content.length === 0
        ? undefined
        : yield* Effect.uninterruptible(store(turn, "assistant", message.content))
    return { message, seq: seq ?? 0, settlement: yield* stream.settlement } satisfies Answer
  }, Effect.scoped)

  const watched = (turn: Turn, { answer, prepared }: Asked, at: number) => {
    const { conversation, model } = turn
    const { message, settlement } = answer
    const miss = watch.observe({ conversation: conversation.id, model, prepared, message, settlement, at })
    return miss === undefined ? Effect.void : deps.events.publish(miss)
  }

  /** Asks; a history that upstream refuses is repaired once, in the log's sight, and asked again. Never twice. */
  const askRepairing = Effect.fnUntraced(function* (turn: Turn, shell: Shell, paused: PreparedContext | undefined) {
    const { id } = turn.conversation
    const at = yield* Clock.currentTimeMillis
    const prepared = paused ?? (yield* context.prepare(id, shell))
    const repaired = Effect.fnUntraced(function* (error: UpstreamError) {
      if (!isAboutHistory(error) || !(yield* context.repair(id))) return yield* error
      yield* Effect.logWarning(
        `Upstream refused the history of ${id}; it is sent once more without thinking and without a block of its own: ${error.message}`
      )
      const again = yield* context.prepare(id, shell)
      watch.expectsNothing(id)
      return { prepared: again, answer: yield* ask(turn, again) }
    })
    const asked = yield* Effect.map(ask(turn, prepared), (answer) => ({ prepared, answer })).pipe(
      Effect.catchTag("ClaudeError", repaired),
      // The next request has other bytes than the last one that upstream answered.
      Effect.onError(() => Effect.sync(() => prepared.compaction !== undefined && watch.expectsNothing(id)))
    )
    yield* watched(turn, asked, at)
    const { settlement } = asked.answer
    if (askedUpstream(settlement.cache)) yield* context.settled(id, settlement.usage)
    return asked
  })

  /** Sub-agents are a convenience: no turn fails for them. */
  const note = (turn: Turn, seen: (at: number) => ReadonlyArray<Agent>) =>
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      const agents = seen(at)
      return agents.length === 0
        ? Effect.void
        : Effect.ignore(repo.saveAgents(turn.conversation.id, agents), { log: true })
    })

  /** Runs the calls of an answer. Each gets a stored result, in the order of the calls, however this ends. */
  const runRound = Effect.fnUntraced(function* (turn: Turn, tools: ToolBox, { message, seq }: Answer) {
    const uses = callsOf(message)
    const results = new Map<string, ToolResultBlock>()
    const collected = () => uses.map((use) => results.get(use.id) ?? interrupted(use.id))

    const onResult = (result: ToolResultBlock) => {
      results.set(result.tool_use_id, result)
      const { content = "", is_error: isError = false, tool_use_id: id } = result
      return turn.emit({ _tag: "ToolResult", id, isError, content })
    }
    const work = Effect.gen(function* () {
      yield* note(turn, (at) => Agents.called(uses, agentTools, { seq, at }))
      for (const { id, input, name } of uses) yield* turn.emit({ _tag: "ToolCall", id, name, input })
      const refused = notRun(message.stop_reason)
      if (refused !== undefined)
        return yield* Effect.forEach(uses, ({ id }) => onResult(refused(id)), { discard: true })
      const { conversation, options } = turn
      const asking = { conversation: conversation.id, tenant: conversation.tenant, agent: agentOf(options) }
      yield* runTools(uses, tools, asking, onResult)
    })
    yield* Effect.onExit(work, () => Effect.asVoid(store(turn, "user", collected())))
    yield* note(turn, (at) => Agents.answered(uses, collected(), agentTools, { seq: seq + 1, at }))
  })

  const run = Effect.fnUntraced(function* (turn: Turn): Effect.fn.Return<void, OrchestratorError> {
    const tools: ToolBox = new Map(
      [...builtins, ...(turn.options.tools ?? [])].map((tool) => [tool.definition.name, tool])
    )
    const shell = shellOf(turn, tools)
    const { id } = turn.conversation
    const rounds = turn.options.maxToolRounds ?? defaultToolRounds
    const settlements: Array<Settlement> = []
    yield* transcript.begin(id, turn.model.id, { role: "user", content: turn.content })
    let paused: PreparedContext | undefined
    for (let round = 0; round < rounds; round++) {
      const asked = yield* askRepairing(turn, shell, paused)
      const { answer, prepared } = asked
      const { message } = answer
      settlements.push(answer.settlement)
      const calls = callsOf(message)
      if (calls.length > 0) yield* runRound(turn, tools, answer)
      paused = calls.length > 0 ? undefined : continuing(asked)
      if (final.has(message.stop_reason) || (calls.length === 0 && paused === undefined)) {
        yield* turn.emit({ _tag: "Done", message, settlements, context: statisticsOf(prepared, maxContextTokens) })
        return
      }
    }
    return yield* new TooManyToolRounds({ rounds })
  })

  return { run }
}
