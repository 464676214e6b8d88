import { createHmac } from "node:crypto"
import { Data, Effect, Layer, Option, Queue, Redacted, Schedule, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import type { Event } from "../domain/Event.ts"
import { Settings } from "../Settings.ts"
import { Events, type Sequenced } from "./Events.ts"

export interface WebhookOptions {
  readonly url: string
  /** Signs each delivery; unsigned without. */
  readonly secret: Option.Option<Redacted.Redacted>
}

type AlertEvent = Extract<Event, { readonly _tag: "AlertRaised" | "AlertCleared" }>

interface Delivery {
  /** The same for every try of one delivery, so that a receiver can drop repetitions. */
  readonly id: string
  readonly body: string
}

const isAlert = (event: Event): event is AlertEvent => event._tag === "AlertRaised" || event._tag === "AlertCleared"

/** More alerts than this that wait for a receiver: the oldest are dropped. */
const mostWaiting = 256
const tries = { timeout: "5 seconds", retries: 6 } as const
const backoff = Schedule.exponential("500 millis").pipe(Schedule.jittered)

const deliveryOf = ({ at, event, seq }: Sequenced): Delivery | undefined =>
  isAlert(event)
    ? {
        id: `${at}-${seq}`,
        body: JSON.stringify({ event: event._tag, at: new Date(at).toISOString(), alert: event.alert })
      }
    : undefined

/** `sha256=` and the hex HMAC-SHA-256 of `timestamp.body`: what a receiver computes with the shared secret to compare. */
export const signature = (secret: string, timestamp: number, body: string): string =>
  `sha256=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`

const requestOf = ({ body, id }: Delivery, { secret, url }: WebhookOptions, now: number) => {
  const signed = Option.match(secret, {
    onNone: () => ({}),
    onSome: (key) => ({ "x-sluice-signature": signature(Redacted.value(key), now, body) })
  })
  return HttpClientRequest.post(url).pipe(
    HttpClientRequest.bodyText(body, "application/json"),
    HttpClientRequest.setHeaders({ "x-sluice-delivery": id, "x-sluice-timestamp": String(now), ...signed })
  )
}

/** A refusal that will not change by asking again is not repeated. */
const isFinal = (status: number): boolean => status >= 400 && status < 500 && status !== 408 && status !== 429

class Undelivered extends Data.TaggedError("Undelivered")<{ readonly why: string; readonly final: boolean }> {}

const deliver = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  delivery: Delivery,
  options: WebhookOptions
) {
  const attempt = Effect.clockWith((clock) =>
    client.execute(requestOf(delivery, options, clock.currentTimeMillisUnsafe()))
  ).pipe(
    Effect.timeout(tries.timeout),
    // The cause may hold the address, which may hold a secret.
    Effect.mapError(({ _tag }) => new Undelivered({ why: _tag, final: false })),
    Effect.flatMap(({ status }) =>
      status < 300 ? Effect.void : Effect.fail(new Undelivered({ why: `status ${status}`, final: isFinal(status) }))
    ),
    Effect.scoped
  )
  yield* attempt.pipe(
    Effect.retry({ schedule: backoff, times: tries.retries, while: ({ final }) => !final }),
    Effect.catch(({ why }) =>
      Effect.logWarning(`An alert could not be delivered to ALERT_WEBHOOK_URL (${why}). Check the receiver.`)
    )
  )
})

/** Delivers alerts for as long as the scope lives; whoever publishes them never waits for it. */
export const deliverAlerts = Effect.fnUntraced(function* (options: WebhookOptions) {
  const client = yield* HttpClient.HttpClient
  const { listenFor } = yield* Events
  const waiting = yield* Queue.sliding<Delivery>(mostWaiting)
  const collect = (event: Sequenced): Effect.Effect<unknown> => {
    const delivery = deliveryOf(event)
    return delivery === undefined ? Effect.void : Queue.offer(waiting, delivery)
  }
  yield* Effect.forkScoped(Stream.runForEach(yield* listenFor(isAlert), collect))
  yield* Effect.forkScoped(
    Effect.forever(Effect.flatMap(Queue.take(waiting), (delivery) => deliver(client, delivery, options)))
  )
})

/** A `%` that begins no escape is part of the secret. */
const unescaped = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The part after `#` never leaves this process: it is the secret that signs. */
export const optionsOf = (setting: string): WebhookOptions => {
  const url = new URL(setting)
  const written = setting.slice(setting.indexOf("#") + 1)
  const secret = url.hash === "" ? Option.none() : Option.some(Redacted.make(unescaped(written)))
  url.hash = ""
  return { url: url.href, secret }
}

/**
 * Posts every alert, raised and cleared, as JSON to ALERT_WEBHOOK_URL; nothing without it. With `#secret` at the end of
 * the address each delivery carries `x-sluice-signature`. Repeats with growing pauses. Needs Settings, Events, HttpClient.
 */
export const layerWebhookNoDeps = Layer.effectDiscard(
  Effect.gen(function* () {
    const { alertWebhookUrl } = yield* Settings
    if (Option.isSome(alertWebhookUrl)) yield* deliverAlerts(optionsOf(Redacted.value(alertWebhookUrl.value)))
  })
)

/** `layerWebhookNoDeps` with a client of its own. */
export const layerWebhook = layerWebhookNoDeps.pipe(Layer.provide(FetchHttpClient.layer))
