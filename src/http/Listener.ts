import { createServer, type IncomingMessage, type Server } from "node:http"

/**
 * Only the live feed leaves HTTP. Other offers to are declined by answering as usual: clients of Java make one (`h2c`) with
 * every request, whose body would be lost with it.
 */
const leavesHttp = ({ headers, url = "" }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === "websocket" && /^\/ws(?:[/?]|$)/i.test(url)

/**
 * Node's HTTP server, with limits on how long a client may take to ask and how much it may say before its body. How long
 * an answer may take is not limited here: a model may think for many minutes.
 */
export const listener = (): Server => {
  const server = createServer({
    // Slow-loris: headers that drip, then a body that drips (32 MB at 2 Mbit/s fit).
    headersTimeout: 20_000,
    requestTimeout: 150_000,
    connectionsCheckingInterval: 5_000,
    // Longer than load balancers keep idle connections (60 s), so that they close them and not we, in the middle of a request.
    keepAliveTimeout: 75_000,
    // A request that waits for its answer is silent; probes keep routers on the way from forgetting it.
    keepAlive: true,
    keepAliveInitialDelay: 15_000,
    maxHeaderSize: 64 * 1024,
    shouldUpgradeCallback: leavesHttp
  })
  server.maxHeadersCount = 200
  // Closing takes care of connections that are idle then; one that becomes idle later would hold the drain for the
  // whole keep-alive.
  server.on("request", (_request, response) => {
    response.once("close", () => {
      if (!server.listening) server.closeIdleConnections()
    })
  })
  return server
}
