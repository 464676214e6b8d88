import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ByteSize, Effect, Layer } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { layerRequestLog } from "../observability/RequestLog.ts"
import { layerTracer } from "../observability/Telemetry.ts"
import { Settings } from "../Settings.ts"
import * as Access from "./Access.ts"
import { Api } from "./Api.ts"
import * as CacheAdmin from "./CacheAdmin.ts"
import * as Conversations from "./Conversations.ts"
import * as CostsAdmin from "./CostsAdmin.ts"
import * as DashboardFiles from "./DashboardFiles.ts"
import * as Docs from "./Docs.ts"
import * as Errors from "./Errors.ts"
import * as Gateway from "./gateway/Gateway.ts"
import * as Health from "./Health.ts"
import { listener } from "./Listener.ts"
import * as Metrics from "./Metrics.ts"
import * as Mcp from "./mcp/Mcp.ts"
import { Feed } from "./metrics/Feed.ts"
import * as Live from "./metrics/Live.ts"
import * as WebSocket from "./metrics/WebSocket.ts"
import { Requests } from "./Requests.ts"
import { routerConfig } from "./routerConfig.ts"
import * as TokensAdmin from "./TokensAdmin.ts"

/** What the Messages API itself accepts. */
const maxBody = ByteSize.mebibytes(32)

/** Clients of the live feed have nothing to say, in bytes. */
const websocket = { maxPayload: 4096 }

/** In-flight requests get this long after SIGTERM; then they are interrupted. */
const gracefulShutdownTimeout = "20 seconds"

/** Every route, over the services of the rooms. */
export const routes = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide([Health.layer, Metrics.layer, Live.layer, Conversations.layer]),
  Layer.provide([CacheAdmin.layer, CostsAdmin.layer, TokensAdmin.layer]),
  Layer.provide([Requests.layer, Access.layer]),
  Layer.merge(Docs.layer),
  Layer.merge(DashboardFiles.layer),
  Layer.merge(Gateway.layer),
  Layer.merge(Mcp.layer),
  Layer.merge(WebSocket.layer),
  Layer.merge(Errors.layer)
)

/** Who listens to the live feed would listen for ever: draining begins with a goodbye. */
const hangUp = Layer.effectDiscard(Effect.flatMap(Feed, ({ close }) => Effect.addFinalizer(() => close)))

/** The routes on whatever server is provided. The default access log is off: it costs a quarter of the throughput. */
export const serve = hangUp.pipe(
  Layer.provideMerge(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true, routerConfig })),
  Layer.provide(Feed.layer),
  Layer.provide(Layer.succeed(HttpIncomingMessage.MaxBodySize, maxBody))
)

const listening = Layer.effectDiscard(
  HttpServer.addressFormattedWith((address) => Effect.logInfo(`Listening on ${address}`))
)

/** Listens on HOST and PORT until the scope closes, then drains. */
export const layer = Layer.unwrap(
  Effect.map(Settings, ({ host, port }) =>
    Layer.mergeAll(Layer.provide(serve, layerTracer), listening).pipe(
      Layer.provide(NodeHttpServer.layer(listener, { host, port, gracefulShutdownTimeout, websocket })),
      // Below the server: what is answered while it drains has its line, too.
      Layer.provide(layerRequestLog)
    )
  )
)
