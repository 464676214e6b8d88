import { Data, Effect, Layer, Option, Redacted, Schema } from "effect"
import { type Grant, NewToken, Tokens } from "../access/Tokens.ts"
import { Database } from "../chat/Database.ts"
import { Settings } from "../Settings.ts"
import { ask } from "./client.ts"

/** The service, or the database, did not do what was asked; the message says why. */
export class Refused extends Data.TaggedError("Refused")<{ readonly message: string }> {}

/** Without a service nobody else has the database open, or it is a server that takes many. */
const stored = Tokens.layer.pipe(Layer.provide(Database.layer), Layer.provide(Settings.layer))

const sentence = (error: unknown): string =>
  typeof error === "object" && error !== null && "detail" in error && typeof error.detail === "string"
    ? error.detail
    : error instanceof Error
      ? error.message
      : String(error)

const refused = (error: unknown) => new Refused({ message: sentence(error) })

const checked = (given: object) =>
  Schema.decodeUnknownEffect(NewToken)(given).pipe(
    Effect.mapError((error) => new Refused({ message: `This is no token to make: ${error.message}` }))
  )

/** Where tokens are made and ended: the service at `url`, else the one that runs here, else the database. */
export const desk = (url: Option.Option<string>) => {
  const either = <A, E, F>(
    service: Effect.Effect<A, E>,
    direct: Effect.Effect<A, F, Tokens>
  ): Effect.Effect<A, Refused> =>
    service.pipe(
      Effect.catchIf(
        (error) =>
          Option.isNone(url) &&
          typeof error === "object" &&
          error !== null &&
          "_tag" in error &&
          error._tag === "NoService",
        () => Effect.provide(direct, stored)
      ),
      Effect.mapError(refused)
    )

  return {
    add: (given: object): Effect.Effect<{ readonly grant: Grant; readonly token: string }, Refused> =>
      Effect.flatMap(checked(given), (request) =>
        either(
          ask(url, (api) => api.tokens.add({ payload: request })),
          Tokens.use((tokens) =>
            Effect.map(tokens.add(request), ({ grant, token }) => ({ grant, token: Redacted.value(token) }))
          )
        )
      ),
    list: either(
      Effect.map(
        ask(url, (api) => api.tokens.list()),
        ({ tokens }) => tokens
      ),
      Tokens.use((tokens) => tokens.list)
    ),
    revoke: (name: string): Effect.Effect<void, Refused> =>
      either(
        ask(url, (api) => api.tokens.revoke({ params: { name } })),
        Tokens.use((tokens) =>
          Effect.flatMap(tokens.revoke(name), (isRevoked) =>
            isRevoked
              ? Effect.void
              : new Refused({ message: `There is no stored token "${name}". One of GATEWAY_TOKENS is revoked there.` })
          )
        )
      )
  }
}
