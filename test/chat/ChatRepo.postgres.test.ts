import { Effect, Layer } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { describePostgres, TestPostgres } from "../support/postgres.ts"
import { chatRepoSuite } from "./suite.ts"

const database = Layer.unwrap(Effect.map(TestPostgres, ({ url }) => Database.layerPostgres(url)))

describePostgres("with a server", () => {
  chatRepoSuite(
    "ChatRepo on Postgres",
    ChatRepo.layerNoDeps.pipe(Layer.provide(database), Layer.provide(TestPostgres.layer))
  )
})
