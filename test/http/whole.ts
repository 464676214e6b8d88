import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Layer } from "effect"
import { serve } from "../../src/http/Server.ts"
import type { SettingsOverrides } from "../../src/Settings.ts"
import { layerTest } from "../../src/testing/layerTest.ts"

/** The whole server on a free port, every service as it is shipped, over a database in memory and the simulator. */
export const whole = (settings: SettingsOverrides = {}) =>
  serve.pipe(Layer.provideMerge(layerTest({ settings })), Layer.provideMerge(NodeHttpServer.layerTest))
