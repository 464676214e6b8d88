import { createServer, type IncomingMessage, type Server } from "node:http"
import type { Socket } from "node:net"

/**
 * Only the live feed leaves HTTP. Other offers to are declined by answering as usual: clients of Java make one (`h2c`) with
 * every request, whose body would be lost with it.
 */
const leavesHttp = ({ headers, url = "" }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === "websocket" && /^\/ws(?:[/?]|$)/i.test(url)

/**
 * Node takes a connection on which nothing was said yet for a busy one. Browsers and load balancers open such in advance:
 * closing would wait for each until its patience ends.
 */
const closeSilentToo = (server: Server): void => {
  const silent = new Set<Socket>()
  server.on("connection", (socket: Socket) => {
    silent.add(socket)
    socket.once("close", () => silent.delete(socket))
  })
  server.on("request", ({ socket }: IncomingMessage) => silent.delete(socket))
  const closeIdle = server.closeIdleConnections.bind(server)
  server.closeIdleConnections = () => {
    closeIdle()
    for (const socket of silent) if (socket.bytesRead === 0) socket.destroy()
  }
}

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
  closeSilentToo(server)
  // Closing takes care of connections that are idle then; one that becomes idle later would hold the drain for the
  // whole keep-alive.
  server.on("request", (_request, response) => {
    response.once("close", () => {
      if (!server.listening) server.closeIdleConnections()
    })
  })
  return server
}
