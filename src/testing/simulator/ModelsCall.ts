import type { Whole } from "../../claude/Wire.ts"
import { errorReply } from "./Errors.ts"
import { type SimulatedModel, simulatedModel, simulatedModels } from "./SimulatedModel.ts"

const entry = (model: SimulatedModel): object => ({
  type: "model",
  id: model.id,
  display_name: model.id,
  created_at: "1970-01-01T00:00:00Z",
  max_input_tokens: model.contextWindow,
  max_tokens: model.maxOutput
})

/** `GET /v1/models` (all on one page), or `GET /v1/models/:id`. */
export const modelReply = (id: string | undefined, requestId: string): Whole => {
  const known = id === undefined ? undefined : simulatedModel(id)
  if (id !== undefined && known === undefined) return errorReply(404, `model: ${id}`, requestId)
  const data = simulatedModels.map(entry)
  const page = {
    data,
    has_more: false,
    first_id: simulatedModels[0]?.id ?? null,
    last_id: simulatedModels.at(-1)?.id ?? null
  }
  return {
    _tag: "Whole",
    status: 200,
    headers: { "content-type": "application/json", "request-id": requestId },
    body: known === undefined ? page : entry(known)
  }
}
