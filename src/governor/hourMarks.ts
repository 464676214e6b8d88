import type { MessagesRequest } from "../domain/MessagesRequest.ts"

/** Marks stand near the ends of a prompt: so many messages are looked at from either, however long the history is. */
const looked = 24

const isForAnHour = (control: unknown): boolean =>
  typeof control === "object" && control !== null && "ttl" in control && control.ttl === "1h"

const isMarked = (part: unknown): boolean =>
  typeof part === "object" && part !== null && "cache_control" in part && isForAnHour(part.cache_control)

const someMarked = (parts: unknown): boolean => Array.isArray(parts) && parts.some(isMarked)

/** Whether upstream may be told to keep a part of this prompt for an hour, which costs more to write. */
export const asksForAnHour = ({ cache_control, messages, system, tools }: MessagesRequest): boolean =>
  isForAnHour(cache_control) ||
  someMarked(system) ||
  someMarked(tools) ||
  [messages.slice(0, looked), messages.slice(-looked)].some((some) => some.some(({ content }) => someMarked(content)))
