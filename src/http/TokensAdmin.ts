import { Effect, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Tokens, type TokensUnavailable } from "../access/Tokens.ts"
import { Api } from "./Api.ts"
import { StorageUnavailable, TokenTaken, TokenUnknown } from "./Problem.ts"

/** The database's own words stay in the log. */
const unavailable = (error: TokensUnavailable) =>
  Effect.andThen(
    Effect.logWarning(error.message),
    new StorageUnavailable({ detail: `The tokens could not be ${error.operation}. Try again later.` })
  )

export const layer = HttpApiBuilder.group(
  Api,
  "tokens",
  Effect.fn(function* (handlers) {
    const tokens = yield* Tokens
    return handlers.handleAll({
      list: () =>
        tokens.list.pipe(
          Effect.map((grants) => ({ tokens: grants })),
          Effect.catchTag("TokensUnavailable", unavailable)
        ),
      add: ({ payload }) =>
        tokens.add(payload).pipe(
          Effect.map(({ grant, token }) => ({ grant, token: Redacted.value(token) })),
          Effect.catchTag("TokensUnavailable", unavailable),
          Effect.catchTag("TokenExists", ({ message, name }) => new TokenTaken({ detail: message, name }))
        ),
      revoke: ({ params: { name } }) =>
        tokens.revoke(name).pipe(
          Effect.catchTag("TokensUnavailable", unavailable),
          Effect.flatMap((isRevoked) =>
            isRevoked
              ? Effect.void
              : new TokenUnknown({
                  detail: `There is no stored token "${name}". One of GATEWAY_TOKENS is revoked there.`,
                  name
                })
          )
        )
    })
  })
)
