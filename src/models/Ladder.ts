import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { refusal } from "./Accepts.ts"
import type { Model } from "./Model.ts"

/** Neither its input nor its output costs more, and one of them less. */
export const isCheaper = ({ prices }: Model, than: Model): boolean =>
  prices.input <= than.prices.input &&
  prices.output <= than.prices.output &&
  prices.input + prices.output < than.prices.input + than.prices.output

/** The models that routing chooses from, and the way down and up between them. */
export interface Ladder {
  /** The dearest one that is cheaper than `model` and can take the request. */
  readonly below: (model: Model, request: MessagesRequest) => Model | undefined
  /** Another family's model that can take the request: the next one down, otherwise the next one up. */
  readonly beside: (model: Model, request: MessagesRequest, not: ReadonlySet<string>) => Model | undefined
}

export const makeLadder = (models: ReadonlyArray<Model>): Ladder => {
  const dearestFirst = models.toSorted((a, b) => b.prices.input + b.prices.output - a.prices.input - a.prices.output)
  const takes = (request: MessagesRequest) => (model: Model) => refusal(model, request) === undefined
  const below: Ladder["below"] = (model, request) =>
    dearestFirst.filter(takes(request)).find((other) => other.family !== model.family && isCheaper(other, model))
  return {
    below,
    beside: (model, request, not) => {
      const able = dearestFirst.filter((other) => other.family !== model.family && !not.has(other.family))
      const others = able.filter(takes(request))
      return others.find((other) => isCheaper(other, model)) ?? others.at(-1)
    }
  }
}
