import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { ContentBlock } from "../domain/Message.ts"
import type { SimulatorService } from "./simulator/Simulator.ts"

const FaultBody = Schema.Struct({
  fault: Schema.Union([
    Schema.Struct({
      _tag: Schema.Literal("Refuse"),
      status: Schema.Int.check(Schema.isBetween({ minimum: 400, maximum: 599 })),
      message: Schema.optionalKey(Schema.String),
      errorCode: Schema.optionalKey(Schema.String),
      headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
    }),
    Schema.Struct({ _tag: Schema.Literals(["Reset", "Hang"]) }),
    Schema.Struct({ _tag: Schema.Literals(["Cut", "Stall"]), afterEvents: Schema.Natural }),
    Schema.Struct({
      _tag: Schema.Literal("ErrorEvent"),
      afterEvents: Schema.Natural,
      type: Schema.optionalKey(Schema.String)
    })
  ]),
  times: Schema.optionalKey(Schema.Natural)
})

const ScriptBody = Schema.Struct({
  answers: Schema.Array(
    Schema.Struct({
      content: Schema.Array(ContentBlock),
      stopReason: Schema.optionalKey(Schema.String),
      outputTokens: Schema.optionalKey(Schema.Natural)
    })
  )
})

const done = HttpServerResponse.empty({ status: 204 })

const misread = (error: unknown) =>
  Effect.succeed(HttpServerResponse.jsonUnsafe({ error: String(error) }, { status: 400 }))

const control = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  run: (body: S["Type"]) => Effect.Effect<void>
) => HttpServerRequest.schemaBodyJson(schema).pipe(Effect.flatMap(run), Effect.as(done), Effect.catch(misread))

/**
 * `GET /simulator/bill`: `{ total, byModel, requests, entries }`, what upstream would charge.
 * `POST /simulator/faults`: `{ fault: { _tag: "Refuse", status: 529 } | { _tag: "Cut", afterEvents: 3 } | …, times? }`.
 * `POST /simulator/script`: `{ answers: [{ content: [blocks], stopReason?, outputTokens? }] }`.
 */
export const controlRoutes = (simulator: SimulatorService) =>
  Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/simulator/bill",
      Effect.map(simulator.bill, ({ entries, total }) =>
        HttpServerResponse.jsonUnsafe({
          requests: total.requests,
          total: total.usage,
          byModel: Object.fromEntries(total.byModel),
          entries
        })
      )
    ),
    HttpRouter.add(
      "POST",
      "/simulator/faults",
      control(FaultBody, ({ fault, times }) => simulator.inject(fault, times))
    ),
    HttpRouter.add(
      "POST",
      "/simulator/script",
      control(ScriptBody, ({ answers }) => simulator.script(...answers))
    )
  )
