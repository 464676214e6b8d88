import { Data, Effect, Option, Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientError, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { Api } from "../http/Api.ts"
import { Unauthorized } from "../http/Problem.ts"
import { Settings, type SettingsShape } from "../Settings.ts"

const baseUrl = ({ host, port }: SettingsShape): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`

const authorized = ({ adminToken }: SettingsShape) =>
  HttpClient.mapRequest(
    Option.match(adminToken, {
      onNone: () => (request: HttpClientRequest.HttpClientRequest) => request,
      onSome: (token) => HttpClientRequest.bearerToken(Redacted.value(token))
    })
  )

/** Nobody listens where a service was asked. */
export class NoService extends Data.TaggedError("NoService")<{ readonly address: string }> {
  override get message(): string {
    return `There is no service at ${this.address}. Start it with \`sluice serve\`, or say where it is with --url.`
  }
}

/** Something answered that does not know the question. */
export class NoSluice extends Data.TaggedError("NoSluice")<{ readonly address: string; readonly status: number }> {
  override get message(): string {
    return `What listens at ${this.address} answered ${this.status} and seems to be no Sluice. Say where it is with --url.`
  }
}

/** The service wants another token than this process has. */
export class NotAllowed extends Data.TaggedError("NotAllowed")<{ readonly detail: string }> {
  override get message(): string {
    return `${this.detail} The command line reads ADMIN_TOKEN from its environment.`
  }
}

const understood = (address: string) => (error: unknown) => {
  if (error instanceof Unauthorized) return new NotAllowed({ detail: error.detail ?? error.title })
  if (!HttpClientError.isHttpClientError(error)) return error
  const { response } = error
  return response === undefined ? new NoService({ address }) : new NoSluice({ address, status: response.status })
}

/** Asks a running service, as the administrator when ADMIN_TOKEN is set. */
export const ask = <A, E, R>(
  given: Option.Option<string>,
  question: (client: HttpApiClient.ForApi<typeof Api>) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const address = Option.getOrElse(given, () => baseUrl(settings))
    const client = yield* HttpApiClient.make(Api, { baseUrl: address, transformClient: authorized(settings) })
    return yield* Effect.mapError(question(client), understood(address))
  }).pipe(Effect.provide(Settings.layer), Effect.provide(FetchHttpClient.layer))
