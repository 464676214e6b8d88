import { type Context, Effect, Exit, Layer, Scope, type Scope as ScopeType, type Tracer } from "effect"
import { ResponseCache } from "../cache/ResponseCache.ts"
import { Claude } from "../claude/Claude.ts"
import { CostTracker } from "../costs/CostTracker.ts"
import { Governor } from "../governor/Governor.ts"
import { TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { ModelRouter } from "../models/ModelRouter.ts"
import { failed, requestAttributes, settled, spanName } from "./spans.ts"
import { Telemetry } from "./Telemetry.ts"

/** A layer that puts `wrap` around a service when there is a tracer, and is nothing at all otherwise. */
const around = <Self, Shape>(
  tag: Context.Service<Self, Shape>,
  wrap: (
    service: Shape,
    telemetry: Telemetry["Service"],
    tracer: Tracer.Tracer
  ) => Effect.Effect<Shape, never, ScopeType.Scope>
) =>
  Layer.effect(
    tag,
    Effect.gen(function* () {
      const telemetry = yield* Telemetry
      const service = yield* tag
      return telemetry.tracer === undefined ? service : yield* wrap(service, telemetry, telemetry.tracer)
    })
  )

const router = around(ModelRouter, (service) =>
  Effect.succeed({
    ...service,
    route: (...asked) =>
      Effect.withSpan(
        Effect.tap(service.route(...asked), ({ id, reason }) =>
          Effect.annotateCurrentSpan({ "sluice.route.model": id, "sluice.route.reason": reason })
        ),
        "route"
      )
  })
)

const cache = around(ResponseCache, (service) =>
  Effect.succeed({
    ...service,
    lookup: (key) => Effect.withSpan(service.lookup(key), "cache"),
    store: (key, answer) => Effect.withSpan(service.store(key, answer), "cache store")
  })
)

const costs = around(CostTracker, (service) =>
  Effect.succeed({
    ...service,
    reserve: (request) => Effect.withSpan(service.reserve(request), "budget"),
    settle: (entry) => Effect.withSpan(service.settle(entry), "settle"),
    saved: (entry) => Effect.withSpan(service.saved(entry), "settle")
  })
)

const limiter = around(TokenRateLimiter, (service) =>
  Effect.succeed({
    ...service,
    reserve: (request) =>
      Effect.withSpan(service.reserve(request), "queue", {
        attributes: { "sluice.reserved.input_tokens": request.inputTokens }
      })
  })
)

const claude = around(Claude, (service) =>
  Effect.succeed({
    ...service,
    send: (request, options) => Effect.withSpan(service.send(request, options), "upstream", { kind: "client" }),
    // The scope closes when the stream ends.
    stream: (request, options) =>
      Effect.flatMap(Effect.makeSpanScoped("upstream", { kind: "client" }), (span) =>
        Effect.withParentSpan(service.stream(request, options), span)
      )
  })
)

const stages = Layer.mergeAll(router, cache, costs, limiter, claude)

const requests = around(
  Governor,
  Effect.fnUntraced(function* (service, telemetry, tracer) {
    const home = yield* Effect.scope
    const open = Effect.fnUntraced(function* (...[request, caller]: Parameters<Governor["Service"]["run"]>) {
      const scope = Scope.makeUnsafe()
      const attributes = requestAttributes(request, caller, telemetry.captureContent)
      const span = yield* Scope.provide(
        Effect.makeSpanScoped(spanName(request), { kind: "internal", attributes }),
        scope
      )
      return { scope, span }
    })
    return Governor.of({
      run: (request, caller, options) =>
        Effect.gen(function* () {
          const { scope, span } = yield* open(request, caller)
          return yield* service.run(request, caller, options).pipe(
            Effect.withParentSpan(span),
            Effect.tap((answer) =>
              Effect.sync(() => settled(span, answer.settlement, telemetry.captureContent ? answer.message : undefined))
            ),
            Effect.tapCause((cause) => Effect.sync(() => failed(span, cause))),
            Effect.onExit((exit) => Scope.close(scope, exit))
          )
        }).pipe(Effect.withTracer(tracer)),
      stream: (request, caller, options) =>
        Effect.gen(function* () {
          const { scope, span } = yield* open(request, caller)
          const opened = yield* service.stream(request, caller, options).pipe(
            Effect.withParentSpan(span),
            Effect.onError((cause) => {
              failed(span, cause)
              return Scope.close(scope, Exit.failCause(cause))
            })
          )
          const ending = Effect.flatMap(opened.settlement, (settlement) => {
            settled(span, settlement, undefined)
            return Scope.close(scope, Exit.void)
          })
          yield* Effect.forkIn(ending, home, { startImmediately: true })
          return opened
        }).pipe(Effect.withTracer(tracer))
    })
  })
)

/**
 * The Governor with one span for each request and one for each of its stages. Without a tracer it is the Governor's own
 * layer over the very same services.
 */
export const layerGovernor = requests.pipe(Layer.provide(Governor.layer.pipe(Layer.provide(stages))))
