import { Schema } from "effect"

/** Who waits: a person (`interactive`), an agent (`normal`), nobody (`background`). */
export const Priority = Schema.Literals(["interactive", "normal", "background"])
export type Priority = typeof Priority.Type

/** What the request is for; routing looks at it. */
export const Task = Schema.Literals(["summary", "classification", "simple", "main", "complex"])
export type Task = typeof Task.Type

/** Who pays (`tenant`), who asked (`agent`), in which conversation, how urgently. Every governed request carries one. */
export interface Caller {
  readonly tenant: string
  readonly agent: string
  readonly conversation?: string | undefined
  readonly priority: Priority
  readonly task?: Task | undefined
  /** A cheaper model may answer while the daily budget runs out. Needs MODEL_ROUTING; not allowed unless said. */
  readonly allowCheaper?: boolean | undefined
  /** Another model may answer when upstream has no room on this one. Needs MODEL_ROUTING; not allowed unless said. */
  readonly allowFallback?: boolean | undefined
}

/** What a program says of a caller. A field that is undefined says nothing: programs pass on what they were not told. */
export type CallerParts = { readonly [Field in keyof Caller]?: Caller[Field] | undefined }

/** The default caller but for what is said. */
export const callerWith = (said: CallerParts): Caller => ({
  ...said,
  tenant: said.tenant ?? defaultCaller.tenant,
  agent: said.agent ?? defaultCaller.agent,
  priority: said.priority ?? defaultCaller.priority
})

export const defaultCaller: Caller = { tenant: "default", agent: "orchestrator", priority: "normal" }
