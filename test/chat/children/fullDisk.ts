import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { cpSync, mkdirSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Layer } from "effect"
import { ChatRepo } from "../../../src/chat/ChatRepo.ts"
import { Database } from "../../../src/chat/Database.ts"

/** A process of its own: fullDisk.ts DIRECTORY DATABASE mounts small disks in DIRECTORY, in a namespace of its own, and fills them. */
const [mount = "", database = "", stage = "outside"] = process.argv.slice(2)

const say = (line: string) => Effect.sync(() => void writeSync(1, `${line.replaceAll("\n", " ")}\n`))
const repoIn = (directory: string) => Layer.provide(ChatRepo.layerNoDeps, Database.layerEmbedded(directory))
const message = () => ({ role: "user" as const, content: randomBytes(60_000).toString("hex"), tokens: 1 })

const tooSmall = ChatRepo.use((repo) => repo.create({})).pipe(
  Effect.provide(repoIn(join(mount, "small/db"))),
  Effect.flip,
  Effect.flatMap((error) => say(error.message))
)

const fillsUp = Effect.gen(function* () {
  const repo = yield* ChatRepo
  yield* repo.create({ id: "full" })
  const filler = join(mount, "large/filler")
  writeFileSync(filler, Buffer.alloc(20_000_000))
  let acknowledged = 0
  const one = Effect.map(repo.append("full", [message()]), () => ++acknowledged)
  const error = yield* Effect.flip(Effect.forever(one))
  yield* say(error.message)
  yield* say((yield* repo.get("full")).messages === acknowledged ? "kept" : "lost")
  rmSync(filler)
  yield* one
  const all = yield* repo.messages("full", { limit: 10_000 })
  yield* say(all.length === acknowledged ? "room again" : "lost")
}).pipe(Effect.provide(repoIn(join(mount, "large/db"))))

if (stage === "outside") {
  mkdirSync(join(mount, "small"))
  mkdirSync(join(mount, "large"))
  const disk = (size: string, name: string) => `mount -t tmpfs -o size=${size} tmpfs '${join(mount, name)}'`
  const inside = `'${process.execPath}' '${fileURLToPath(import.meta.url)}' '${mount}' '${database}' inside`
  const script = `${disk("16m", "small")} && ${disk("160m", "large")} && exec ${inside}`
  const { status } = spawnSync("unshare", ["--map-root-user", "--mount", "sh", "-c", script], {
    stdio: ["ignore", "inherit", "ignore"]
  })
  if (status !== 0) writeSync(1, "cannot mount\n")
} else {
  cpSync(database, join(mount, "large/db"), { recursive: true })
  await Effect.runPromise(Effect.andThen(tooSmall, fillsUp))
}
