import * as NodeServices from "@effect/platform-node/NodeServices"
import { Layer } from "effect"
import { Summarizer } from "../../context/Summarizer.ts"
import { ModelCatalog } from "../../models/ModelCatalog.ts"
import { Settings } from "../../Settings.ts"
import { TokenEstimator } from "../../tokens/TokenEstimator.ts"

/** What a replay needs: settings, prices, an estimator that remembers nothing, summaries without a model, files. */
export const layer = Summarizer.layer.pipe(
  Layer.provideMerge(TokenEstimator.layerMemory),
  Layer.provideMerge(ModelCatalog.layer),
  Layer.provideMerge(Settings.layer),
  Layer.provideMerge(NodeServices.layer)
)
