import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { Effect, Fiber } from "effect"
import * as Engine from "./Engine.ts"
import * as Template from "./Template.ts"

const temporary = (parent: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(parent, { recursive: true })
      return mkdtempSync(`${parent}/draft-`)
    }),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )

/** Makes the template of fresh databases where it is missing, so that no start has to. */
const prepare = Effect.gen(function* () {
  const template = Template.location()
  if (existsSync(template)) return
  const directory = yield* temporary(dirname(template))
  yield* Effect.scoped(Engine.open({ directory }))
  yield* Fiber.join(yield* Template.keep(directory, template))
}).pipe(Effect.scoped)

await Effect.runPromise(
  Effect.catchCause(prepare, (cause) => Effect.logWarning("The first start will make its database itself.", cause))
)
