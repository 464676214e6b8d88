import { type ChildProcess, execFile, spawn } from "node:child_process"
import { chown, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { PgClient } from "@effect/sql-pg"
import { describe, it } from "@effect/vitest"
import { Clock, Context, Data, Effect, Layer, Redacted, Schedule } from "effect"
import { Reactivity } from "effect/reactivity"

const run = promisify(execFile)
const installations = "/usr/lib/postgresql"

/** Where Debian and Ubuntu put the newest server, if one is installed. */
const findBinaries = async (): Promise<string | undefined> => {
  const versions = await readdir(installations).catch(() => [])
  const newest = versions
    .map(Number)
    .filter(Number.isFinite)
    .sort((a, b) => b - a)[0]
  return newest === undefined ? undefined : join(installations, String(newest), "bin")
}

const binaries = await findBinaries()

class PostgresFailed extends Data.TaggedError("PostgresFailed")<{ readonly cause: unknown }> {}

const attempt = <A>(f: () => Promise<A>) =>
  Effect.tryPromise({ try: f, catch: (cause) => new PostgresFailed({ cause }) })

/** Postgres refuses to run as root. */
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(address)))
    })
  })

export const password = "s3cret-and-%-odd"

const prepare = async (bin: string): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), "sluice-postgres-"))
  await writeFile(join(directory, "password"), password)
  if (nobody.uid !== undefined) {
    for (const path of [directory, join(directory, "password")]) await chown(path, nobody.uid, nobody.gid)
  }
  const options = ["--username=sluice", `--pwfile=${directory}/password`, "--auth=scram-sha-256", "--encoding=UTF8"]
  await run(join(bin, "initdb"), [`--pgdata=${directory}/data`, ...options, "--no-locale", "--no-sync"], {
    ...nobody,
    cwd: directory
  })
  return directory
}

/** The server ends with this process, however this one ends: the shell waits for the end of its input. */
const launch = (bin: string, directory: string, port: number): ChildProcess =>
  spawn(
    "/bin/sh",
    [
      ...["-c", '"$@" & cat > /dev/null; kill -INT $!; wait $!', "sh", join(bin, "postgres")],
      ...["-D", `${directory}/data`, "-p", String(port), "-h", "127.0.0.1", "-k", directory, "-c", "max_connections=60"]
    ],
    { ...nobody, cwd: directory, stdio: ["pipe", "ignore", "ignore"] }
  )

const stop = (server: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (server.exitCode !== null) return resolve()
    server.once("exit", () => resolve())
    server.stdin?.end()
  })

const answers = (url: Redacted.Redacted) =>
  Effect.scoped(Effect.flatMap(PgClient.make({ url }), (sql) => sql`SELECT 1`)).pipe(
    Effect.provide(Reactivity.layer),
    Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 200 })
  )

const start = Effect.gen(function* () {
  const bin = yield* Effect.fromNullishOr(binaries)
  const directory = yield* Effect.acquireRelease(
    attempt(() => prepare(bin)),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )
  const port = yield* attempt(freePort)
  yield* Effect.acquireRelease(
    Effect.sync(() => launch(bin, directory, port)),
    (server) => Effect.promise(() => stop(server))
  )
  const url = Redacted.make(`postgres://sluice:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`)
  yield* answers(url)
  return { url, port }
})

/** A real Postgres server of its own, in a temporary directory, on a free port. */
export class TestPostgres extends Context.Service<
  TestPostgres,
  { readonly url: Redacted.Redacted; readonly port: number }
>()("sluice/test/TestPostgres") {
  static readonly layer = Layer.effect(TestPostgres, start).pipe(
    // A server is waited for in real time, whatever clock drives the test.
    Layer.provide(Layer.succeed(Clock.Clock, Clock.Clock.defaultValue()))
  )
}

/** Runs `tests` where a server is installed; elsewhere says so, and on CI fails. */
export const describePostgres = (name: string, tests: () => void): void => {
  describe(name, () => {
    if (binaries !== undefined) return tests()
    it("needs a server: apt-get install postgresql", (context) => {
      if (process.env.CI === "true") throw new Error(`no Postgres server in ${installations}`)
      context.skip(`skipped: no Postgres server in ${installations}`)
    })
  })
}
