import { hash } from "node:crypto"
import { Semaphore } from "effect"
import { LRUCache } from "lru-cache"
import type { Message } from "../domain/Message.ts"
import type { ConversationContext } from "./ConversationContext.ts"
import type { Shell } from "./PreparedContext.ts"
import { same, sharedLength } from "./SameMessages.ts"

/** Whose conversation it is; what is given must agree for a conversation to be found again. */
export interface StatelessOwner {
  readonly tenant: string
  readonly agent: string
  readonly conversation?: string | undefined
  /** Whose key pays. */
  readonly owner: string
}

/** Who wants to read a conversation: of one tenant, of one key's owner, or, where null, of any. */
export interface StatelessReader {
  readonly tenant: string | null
  readonly owner: string | null
}

/** One conversation as its client sent it until now, and what stands for it. */
export interface Branch {
  readonly id: string
  messages: ReadonlyArray<Message>
  readonly context: ConversationContext
  readonly lock: Semaphore.Semaphore
  shell: Shell | undefined
}

/** The `owner` of requests that are paid with the server's key. */
export const serverOwner = "server"

/** A conversation's name, and whose it is. */
export type Owned = Pick<StatelessOwner, "tenant" | "owner"> & { readonly id: string }

/** Conversations that begin alike. */
interface Family extends Owned {
  branches: ReadonlyArray<Branch>
}

/** Makes the context of a new branch; of a fork, from what it shares with `parent`. */
export type MakeContext = (owned: Owned, parent: Branch | undefined, shared: number) => ConversationContext

export const maxBytes = 128 * 1024 * 1024
const maxFamilies = 10_000
const branchesPerFamily = 16

/** Roughly what a message takes in memory: its texts, and something for what holds them. */
const sizeOf = (value: unknown): number => {
  if (typeof value === "string") return 2 * value.length + 24
  if (typeof value !== "object" || value === null) return 16
  return Object.values(value).reduce<number>((sum, field) => sum + sizeOf(field) + 16, 32)
}

const measured = new WeakMap<Message, number>()

const messageSize = (message: Message): number => {
  const known = measured.get(message)
  if (known !== undefined) return known
  const size = sizeOf(message)
  measured.set(message, size)
  return size
}

/** Of what stands for a history: segments, and messages that were cut. What is sent as it came is there once. */
const bytesPerToken = 8
const ownBytes = 1_000

const contextSize = ({ context: { isRewritten, rhythm } }: Branch): number =>
  ownBytes + (isRewritten ? bytesPerToken * rhythm.lastTokens : 0)

const familySize = ({ branches }: Family): number => {
  const messages = new Set(branches.flatMap((branch) => branch.messages))
  let size = branches.reduce((sum, branch) => sum + contextSize(branch), 0)
  for (const message of messages) size += messageSize(message)
  return size
}

const idOf = ({ agent, conversation, owner, tenant }: StatelessOwner, first: Message | undefined): string => {
  const named = JSON.stringify([owner, tenant, conversation ?? null, agent, first?.role, textOf(first)])
  return `gw_${hash("sha256", named).slice(0, 24)}`
}

const mayRead = ({ owner, tenant }: Family, reader: StatelessReader): boolean =>
  (reader.tenant ?? tenant) === tenant && (reader.owner ?? owner) === owner

const textOf = (message: Message | undefined): unknown => {
  const content = message?.content
  if (content === undefined || typeof content === "string") return content
  return content.map((block) => (typeof block.text === "string" ? block.text : block.type)).join("\n")
}

/**
 * Finds the conversation that a request goes on with, by its prefix: the first message names the family, the longest
 * common beginning the branch in it. Known messages are compared, not read again; only new ones are. Bounded in bytes,
 * least recently used out first: a conversation that is forgotten begins anew.
 */
export class Branches {
  private readonly families = new LRUCache<string, Family>({
    max: maxFamilies,
    maxSize: maxBytes,
    sizeCalculation: (family) => Math.min(maxBytes, Math.ceil(familySize(family)))
  })
  private readonly makeContext: MakeContext

  constructor(makeContext: MakeContext) {
    this.makeContext = makeContext
  }

  /** Bytes that are held, roughly. */
  get bytes(): number {
    return this.families.calculatedSize
  }

  /** The branch that holds these messages, known ones as the objects they were first seen as. */
  seat(owner: StatelessOwner, messages: ReadonlyArray<Message>): Branch {
    const family = this.familyOf(owner, messages[0])
    const { branch, shared } = this.closest(family, messages)
    const known = branch?.messages.slice(0, shared) ?? []
    const all = [...known, ...messages.slice(known.length)]
    const goesOn = branch !== undefined && shared === branch.messages.length
    const found = goesOn ? branch : this.fork(family, branch, shared, all)
    found.messages = all
    const others = family.branches.filter((other) => other !== found)
    family.branches = [...others.slice(-(branchesPerFamily - 1)), found]
    // It has grown, and a cache weighs a value only when it is new to it.
    this.families.delete(family.id)
    this.families.set(family.id, family)
    return found
  }

  /** A branch of its own for a request that is older than what its branch holds by now. */
  forkAt(owner: StatelessOwner, branch: Branch, messages: ReadonlyArray<Message>): Branch {
    return this.fork(this.familyOf(owner, messages[0]), branch, messages.length, messages)
  }

  /** The branches of a conversation, the one that was asked last at the end; none for those who may not read it. */
  known(id: string, reader: StatelessReader): ReadonlyArray<Branch> {
    const family = this.families.get(id)
    return family !== undefined && mayRead(family, reader) ? family.branches : []
  }

  private familyOf(owner: StatelessOwner, first: Message | undefined): Family {
    const id = idOf(owner, first)
    return this.families.get(id) ?? { id, tenant: owner.tenant, owner: owner.owner, branches: [] }
  }

  private closest(family: Family, messages: ReadonlyArray<Message>) {
    let branch: Branch | undefined
    let shared = 0
    for (const candidate of family.branches) {
      const length = sharedLength(candidate.messages, messages)
      const better = length > shared || (length === shared && candidate.messages.length === length)
      if (better) [branch, shared] = [candidate, length]
    }
    return { branch, shared }
  }

  private fork(family: Family, parent: Branch | undefined, shared: number, messages: ReadonlyArray<Message>): Branch {
    const context = this.makeContext(family, parent, shared)
    return { id: family.id, messages, context, lock: Semaphore.makeUnsafe(1), shell: parent?.shell }
  }
}

/** The shell as it was given before, while it is the same: equal objects need not be read again. */
export const knownShell = (branch: Branch, shell: Shell): Shell => {
  const { shell: before } = branch
  if (before !== undefined && before.model === shell.model && same(before.system, shell.system, true)) {
    if (same(before.tools, shell.tools, true)) return before
  }
  branch.shell = shell
  return shell
}
