import { hash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"

type Response = HttpServerResponse.HttpServerResponse

/** Where the built dashboard lies, seen from the sources and from the build. */
const built = new URL(import.meta.url.endsWith(".ts") ? "../../dist/dashboard/" : "../dashboard/", import.meta.url)

interface File {
  readonly type: string
  readonly bytes: Uint8Array
  readonly gzipped: Uint8Array
  readonly etag: string
}

/** By path below `/`. */
type Files = ReadonlyMap<string, File>

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml"
}

/** Everything comes from here, nothing is inline, nobody frames it, no form goes anywhere. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

const guarded = {
  "content-security-policy": contentSecurityPolicy,
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
}

/** The custom element is for other people's pages. */
const element = "token-metrics.js"

const cacheControl = (path: string): string =>
  path.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache"

const headersOf = (path: string, etag: string) => ({
  ...guarded,
  "cache-control": cacheControl(path),
  "cross-origin-resource-policy": path === element ? "cross-origin" : "same-origin",
  ...(path === element ? { "access-control-allow-origin": "*" } : {}),
  etag,
  vary: "accept-encoding"
})

const zip = promisify(gzip)

const read = async (path: string): Promise<File> => {
  const bytes = await readFile(new URL(path, built))
  const type = types[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream"
  const etag = `"${hash("sha256", bytes, "base64url").slice(0, 27)}"`
  return { type, bytes, gzipped: await zip(bytes, { level: 9 }), etag }
}

const load = Effect.tryPromise(async (): Promise<Files> => {
  const assets = await readdir(new URL("assets/", built))
  const paths = ["index.html", element, ...assets.map((name) => `assets/${name}`)]
  return new Map(await Promise.all(paths.map(async (path) => [path, await read(path)] as const)))
})

const acceptsGzip = /(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))|,|$)/

const answer = (
  path: string,
  { bytes, etag, gzipped, type }: File,
  headers: Readonly<Record<string, string | undefined>>
) => {
  const common = headersOf(path, etag)
  if (headers["if-none-match"]?.includes(etag) === true) {
    return HttpServerResponse.empty({ status: 304, headers: common })
  }
  return acceptsGzip.test(headers["accept-encoding"] ?? "")
    ? HttpServerResponse.uint8Array(gzipped, {
        contentType: type,
        headers: { ...common, "content-encoding": "gzip" }
      })
    : HttpServerResponse.uint8Array(bytes, { contentType: type, headers: common })
}

const notBuilt = HttpServerResponse.text(
  `<!doctype html><html lang="en"><title>Sluice</title><h1>The dashboard is not built</h1>
<p>Sluice itself runs. <code>npm run build:dashboard</code> builds the dashboard; then load this page again.</p>
<p>The figures are at <a href="/api/metrics/tokens">/api/metrics/tokens</a>, the API at <a href="/docs">/docs</a>.</p></html>`,
  { contentType: "text/html; charset=utf-8", headers: { ...guarded, "cache-control": "no-store" } }
)

/** `GET /` and what it loads: the built dashboard, read once at the first visit; a plain page where there is none. */
export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    let files: Files | undefined
    const loaded = Effect.suspend(() => (files === undefined ? load : Effect.succeed(files))).pipe(
      Effect.tap((found) => {
        files = found
        return Effect.void
      }),
      // Looked for again at the next visit, so that building it needs no restart.
      Effect.orElseSucceed((): Files => new Map())
    )

    const serve = (path: string, missing: Response) =>
      Effect.gen(function* () {
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        const file = (yield* loaded).get(path)
        return file === undefined ? missing : answer(path, file, headers)
      })

    const nothing = HttpServerResponse.empty({ status: 404 })
    yield* router.add("GET", "/", serve("index.html", notBuilt))
    yield* router.add("GET", `/${element}`, serve(element, nothing))
    yield* router.add("GET", "/assets/:name", (request) =>
      serve(new URL(request.url, "http://localhost").pathname.slice(1), nothing)
    )
  })
)
