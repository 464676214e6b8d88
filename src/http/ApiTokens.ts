import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Grant, NewToken, TokenName } from "../access/Tokens.ts"
import { Access, AdminOnly } from "./ApiAccess.ts"
import { StorageUnavailable, TokenTaken, TokenUnknown } from "./Problem.ts"

const params = { name: TokenName }

export class ApiTokens extends HttpApiGroup.make("tokens")
  .add(
    HttpApiEndpoint.get("list", "/", {
      success: Schema.Struct({ tokens: Schema.Array(Grant) }),
      error: StorageUnavailable
    }),
    HttpApiEndpoint.post("add", "/", {
      payload: NewToken,
      success: Schema.Struct({
        grant: Grant,
        token: Schema.String.annotate({ description: "shown here and never again" })
      }).pipe(HttpApiSchema.status(201)),
      error: [StorageUnavailable, TokenTaken]
    }),
    HttpApiEndpoint.delete("revoke", "/:name", {
      params,
      success: HttpApiSchema.NoContent,
      error: [StorageUnavailable, TokenUnknown]
    })
  )
  .middleware(AdminOnly)
  .middleware(Access)
  .prefix("/api/tokens")
  .annotate(OpenApi.Title, "Gateway tokens") {}
