import { Option, Schema } from "effect"

/** What a tracker remembers besides the ledger: an operator's pause, and what was granted today. */
export const Control = Schema.Struct({
  paused: Schema.NullOr(Schema.String),
  day: Schema.String,
  grants: Schema.Record(Schema.String, Schema.Natural)
})
export interface Control extends Schema.Schema.Type<typeof Control> {}

const Text = Schema.fromJsonString(Control)
const decode = Schema.decodeUnknownOption(Text)

export const encodeControl: (control: Control) => string = Schema.encodeSync(Text)

/** Nothing where nothing was kept, or nothing that is understood. */
export const decodeControl = (text: string | null): Control =>
  Option.getOrElse(text === null ? Option.none() : decode(text), () => ({ paused: null, day: "", grants: {} }))
