import { Cause, Context, Effect, Layer, Schema } from "effect"
import { type SearchQuery, type SearchResult, searchIn } from "../chat/MessageSearch.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Usage } from "../domain/Usage.ts"
import { Events } from "../events/Events.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import {
  type Branch,
  Branches,
  knownShell,
  type Owned,
  type StatelessOwner,
  type StatelessReader,
  serverOwner
} from "./Branches.ts"
import { ConversationContext } from "./ConversationContext.ts"
import { isOurs, rewritten, shellOf } from "./clientRequest.ts"
import { compactionEvent } from "./compactionEvent.ts"
import * as Layout from "./Layout.ts"
import { Outlook } from "./Outlook.ts"
import type { ContextTooLarge } from "./PreparedContext.ts"
import { StatelessSeats } from "./StatelessSeats.ts"
import { Summarizer } from "./Summarizer.ts"
import type { Summarizes, SummaryRequest } from "./Summary.ts"
import { settingsOptions } from "./settingsOptions.ts"

export { type StatelessOwner, type StatelessReader, serverOwner } from "./Branches.ts"

/** A request, made smaller or as it was. */
export interface PreparedRequest {
  readonly request: MessagesRequest
  /** False: it is the very request that was given. */
  readonly changed: boolean
  /** Estimated prompt tokens of what is sent, and of what the client sent. */
  readonly tokens: number
  readonly rawTokens: number
  /** The conversation's name here, for `search`; undefined where the context is left alone. */
  readonly conversation: string | undefined
  /** To be told what upstream says that it consumed; undefined where the context is left alone. */
  readonly settled: ((usage: Usage) => void) | undefined
}

/** What is known of the conversation is kept in memory only. */
export class ConversationForgotten extends Schema.TaggedError<ConversationForgotten>()("ConversationForgotten", {
  conversation: Schema.String
}) {
  override get message(): string {
    return `The gateway holds no conversation "${this.conversation}" for you. It keeps them in memory, the least recently used go first and a restart ends all: with the conversation's next request through this gateway it is known again.`
  }
}

const untouched = (request: MessagesRequest): PreparedRequest => ({
  request,
  changed: false,
  tokens: 0,
  rawTokens: 0,
  conversation: undefined,
  settled: undefined
})

const isCompacted = ({ context }: Branch): boolean => context.isRewritten

interface PrepareOptions {
  /** A compacted context says how to look up what was condensed. */
  readonly recall?: boolean
}

/**
 * Compacts the contexts of clients that send their whole history with every request: recognises the conversation by its
 * prefix and gives it the context that the orchestrator would have given it. Until something is condensed, the request
 * stays as it came.
 */
export class StatelessContexts extends Context.Service<
  StatelessContexts,
  {
    readonly prepare: (
      request: MessagesRequest,
      owner: StatelessOwner,
      options?: PrepareOptions
    ) => Effect.Effect<PreparedRequest, ContextTooLarge>
    /**
     * For a request whose thinking upstream refused: what was thought behind a condensed beginning is bound to it, and
     * that beginning may have been forgotten since. The request without it; undefined where there is none to leave out.
     */
    readonly repair: (
      request: MessagesRequest,
      owner: StatelessOwner,
      options?: PrepareOptions
    ) => Effect.Effect<PreparedRequest | undefined, ContextTooLarge>
    /** Searches all that the client has sent, condensed or not. Times are those at which a message was first seen. */
    readonly search: (
      conversation: string,
      reader: StatelessReader,
      query: SearchQuery
    ) => Effect.Effect<SearchResult, ConversationForgotten>
  }
>()("sluice/context/StatelessContexts") {
  static readonly layer: Layer.Layer<
    StatelessContexts,
    never,
    TokenEstimator | Summarizer | ModelCatalog | Settings | Events
  > = Layer.effect(
    StatelessContexts,
    Effect.suspend(() => make)
  )

  /** Leaves every request as it is. */
  static readonly layerOff: Layer.Layer<StatelessContexts> = Layer.succeed(StatelessContexts, {
    prepare: (request) => Effect.succeed(untouched(request)),
    repair: () => Effect.undefined,
    search: (conversation) => Effect.fail(new ConversationForgotten({ conversation }))
  })
}

/** Summaries are paid by the tenant. What a client pays with a key of its own goes nowhere with the server's. */
const summarizerFor = (summarizer: Summarizes, { owner, tenant }: Owned): Summarizes => {
  if (owner !== serverOwner) return summarizer.extractive ?? summarizer
  const { ahead, summarize } = summarizer
  const paid = (request: SummaryRequest) => ({ ...request, tenant })
  return {
    ...summarizer,
    ahead: (request) => ahead(paid(request)),
    summarize: (request) => summarize(paid(request))
  }
}

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const estimator = yield* TokenEstimator
  const events = yield* Events
  const catalog = yield* ModelCatalog
  // Upstream's own blocks are for conversations that are stored here: a client's key, and its betas, are its own.
  const { block: _, ...summarizer } = yield* Summarizer

  const outlook = new Outlook()
  const agentTools = new Set(settings.agentTools)

  const optionsOf = (owned: Owned) => ({
    conversation: owned.id,
    estimator,
    summarizer: summarizerFor(summarizer, owned),
    catalog,
    outlook,
    ...settingsOptions(settings)
  })

  /** A fork keeps what was condensed, if that lies in what both share. */
  const branches = new Branches((owned, parent, shared) => {
    const layout = parent === undefined ? undefined : Layout.forFork(parent.context.layout, shared)
    return new ConversationContext(optionsOf(owned), layout)
  })

  const seats = new StatelessSeats(branches)

  const compacted = Effect.fnUntraced(function* (request: MessagesRequest, branch: Branch, recall: boolean) {
    const { context, id } = branch
    context.recallAs = recall ? id : undefined
    const prepared = yield* context.prepare(knownShell(branch, shellOf(request)))
    if (prepared.compaction !== undefined)
      yield* events.publish(compactionEvent(id, prepared, context.rhythm.lastTokens))
    const changed = isCompacted(branch)
    return {
      request: changed ? rewritten(request, prepared) : request,
      changed,
      tokens: prepared.estimatedTokens,
      rawTokens: prepared.rawTokens,
      conversation: id,
      settled: (usage: Usage) => context.settled(usage)
    }
  })

  /** What only helps a request must not fail it. */
  const without = <A, B, E>(effect: Effect.Effect<A, E>, instead: B): Effect.Effect<A | B, E> =>
    Effect.catchCause(effect, (cause) =>
      Cause.hasFails(cause) || Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : Effect.as(Effect.logWarning("A context could not be compacted; the request goes as it came.", cause), instead)
    )

  const prepare: StatelessContexts["Service"]["prepare"] = (request, owner, { recall = false } = {}) =>
    isOurs(request)
      ? without(
          seats.seated(request, owner, (branch) => compacted(request, branch, recall)),
          untouched(request)
        )
      : Effect.succeed(untouched(request))

  const repair: StatelessContexts["Service"]["repair"] = (request, owner, { recall = false } = {}) =>
    isOurs(request)
      ? without(
          seats.seated(request, owner, (branch) =>
            branch.context.repair() ? compacted(request, branch, recall) : Effect.undefined
          ),
          undefined
        )
      : Effect.undefined

  const search: StatelessContexts["Service"]["search"] = Effect.fn("StatelessContexts.search")(
    function* (conversation, reader, query) {
      const known = branches.known(conversation, reader)
      // Side requests that begin alike were never told of this name.
      const branch = known.findLast(isCompacted) ?? known.at(-1)
      if (branch === undefined) return yield* new ConversationForgotten({ conversation })
      return yield* searchIn(yield* seats.history(branch), agentTools, query)
    }
  )

  return StatelessContexts.of({ prepare, repair, search })
})
