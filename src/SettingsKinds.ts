import { DateTime, Option, Redacted, Schema, SchemaTransformation } from "effect"

/** One environment variable. Decoding, the report at start, .env.sample and docs/configuration.md all come from these. */
export interface Variable<A> {
  readonly name: string
  /** A name it had before; still read, with a warning. */
  readonly formerly: string | undefined
  /** Default as one would write it; "" for none. */
  readonly fallback: string
  readonly accepts: string
  readonly doc: string
  readonly secret: boolean
  /** None when the text is not accepted. */
  readonly decode: (text: string) => Option.Option<A>
}

/** How a kind of value is written, and how that is said to people. */
interface Kind<A> {
  readonly accepts: string
  readonly schema: Schema.Codec<A, string>
}

interface Described {
  readonly doc: string
  readonly secret?: boolean
  readonly formerly?: string
}

export const required = <A>(
  name: string,
  kind: Kind<A>,
  fallback: string,
  { doc, secret, formerly }: Described
): Variable<A> => ({
  name,
  formerly,
  fallback,
  accepts: kind.accepts,
  doc,
  secret: secret ?? false,
  decode: Schema.decodeUnknownOption(kind.schema)
})

export const optional = <A>(name: string, kind: Kind<A>, described: Described): Variable<Option.Option<A>> => {
  const given = required(name, kind, "", described)
  return {
    ...given,
    decode: (text) => (text === "" ? Option.some(Option.none()) : Option.map(given.decode(text), Option.some))
  }
}

export const secret = (name: string, kind: Kind<string>, doc: string): Variable<Option.Option<Redacted.Redacted>> => {
  const given = optional(name, kind, { doc, secret: true })
  const hide = Option.map((value: string) => Redacted.make(value, { label: name }))
  return { ...given, decode: (text) => Option.map(given.decode(text), hide) }
}

const digits = Schema.String.check(Schema.isPattern(/^\d+$/))
const decimal = Schema.String.check(Schema.isPattern(/^\d+(\.\d{1,9})?$/))
const satisfying = (test: (text: string) => boolean) => Schema.String.check(Schema.makeFilter(test))

export const whole = (minimum: number, maximum = Number.MAX_SAFE_INTEGER): Kind<number> => ({
  accepts: `a whole number${maximum === Number.MAX_SAFE_INTEGER ? `, ${minimum} or more` : ` from ${minimum} to ${maximum}`}`,
  schema: digits.pipe(
    Schema.decodeTo(Schema.Int.check(Schema.isBetween({ minimum, maximum })), SchemaTransformation.numberFromString)
  )
})

export const usd: Kind<number> = {
  accepts: "an amount in USD above 0 and up to 1000000, like 10 or 2.50",
  schema: decimal.pipe(
    Schema.decodeTo(
      Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1_000_000)),
      SchemaTransformation.numberFromString
    )
  )
}

const truths = ["true", "on", "yes", "1"]
export const flag: Kind<boolean> = {
  accepts: "true or false (also on/off, yes/no, 1/0)",
  schema: Schema.String.pipe(
    Schema.decode(SchemaTransformation.toLowerCase()),
    Schema.check(Schema.makeFilter((text) => [...truths, "false", "off", "no", "0"].includes(text))),
    Schema.decodeTo(
      Schema.Boolean,
      SchemaTransformation.transform({ decode: (text) => truths.includes(text), encode: String })
    )
  )
}

export const oneOf = <const L extends string>(...literals: ReadonlyArray<L>): Kind<L> => ({
  accepts: literals.join(" or "),
  schema: Schema.Literals(literals)
})

export const url = (...protocols: ReadonlyArray<string>): Kind<string> => ({
  accepts: `a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
  schema: satisfying((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol))
})

export const http = url("https:", "http:")
export const base: Kind<string> = {
  accepts: http.accepts,
  schema: http.schema.pipe(
    Schema.decode(
      SchemaTransformation.transform({ decode: (text) => text.replace(/\/+$/, ""), encode: (text: string) => text })
    )
  )
}
export const word = (what: string): Kind<string> => ({
  accepts: `${what}, without spaces`,
  schema: satisfying((text) => !/\s/.test(text))
})
export const model = word("a model id or alias")
export const path: Kind<string> = { accepts: "a path", schema: Schema.NonEmptyString }
export const host: Kind<string> = {
  accepts: "a host name or IP address to listen on, without a port",
  schema: satisfying((text) => /^[\w.-]+$/.test(text) || /^[0-9a-fA-F:.]+$/.test(text))
}
export const zone: Kind<string> = {
  accepts: "an IANA time zone, like UTC or Europe/Berlin",
  schema: satisfying((text) => /^[A-Za-z]/.test(text) && Option.isSome(DateTime.zoneMakeNamed(text)))
}

const list = (text: string): ReadonlyArray<string> => text.split(",").map((part) => part.trim())
export const names: Kind<ReadonlyArray<string>> = {
  accepts: "tool names, separated by commas",
  schema: satisfying((text) => list(text).every((name) => /^[\w.:-]+$/.test(name))).pipe(
    Schema.decodeTo(
      Schema.Array(Schema.String),
      SchemaTransformation.transform({ decode: list, encode: (parts) => parts.join(",") })
    )
  )
}

const pairs = (text: string): ReadonlyArray<readonly [name: string, token: string]> =>
  list(text).map((pair) => {
    const [, name = "", token = ""] = /^([\w.-]+)=(\S+)$/.exec(pair) ?? []
    return [name, token]
  })

const areTokens = (text: string): boolean => {
  const given = pairs(text)
  const distinct = (part: 0 | 1) => new Set(given.map((pair) => pair[part])).size === given.length
  return given.every(([name, token]) => name !== "" && token !== "") && distinct(0) && distinct(1)
}

export const gatewayTokens: Variable<ReadonlyMap<string, Redacted.Redacted>> = {
  name: "GATEWAY_TOKENS",
  formerly: undefined,
  fallback: "",
  accepts: "name=token pairs separated by commas, every name and every token once",
  doc: "Who may use the gateway and the conversations: each name is a tenant.",
  secret: true,
  decode: (text) => {
    const hidden = () => pairs(text).map(([name, token]) => [name, Redacted.make(token, { label: name })] as const)
    return text === "" ? Option.some(new Map()) : areTokens(text) ? Option.some(new Map(hidden())) : Option.none()
  }
}

/** A limit a day for one tenant, agent, conversation or model, or for each of them. */
export const BudgetSetting = Schema.Struct({
  scope: Schema.Literals(["tenant", "agent", "conversation", "model"]),
  /** `*`: each one has a budget of its own. */
  name: Schema.String.check(Schema.isPattern(/^[^\s,=]+$/)),
  usd: usd.schema
}).annotate({ identifier: "BudgetSetting" })
export interface BudgetSetting extends Schema.Schema.Type<typeof BudgetSetting> {}

const budgetOf = (text: string): Option.Option<BudgetSetting> => {
  const [, scope, name, usd] = /^(\w+):(.+)=([^=]*)$/.exec(text) ?? []
  return Schema.decodeUnknownOption(BudgetSetting)({ scope, name, usd })
}

export const costBudgets: Variable<ReadonlyArray<BudgetSetting>> = {
  name: "COST_BUDGETS",
  formerly: undefined,
  fallback: "",
  accepts:
    "budgets separated by commas, each once, like tenant:acme=5, agent:summarizer=1, conversation:*=0.50 or model:opus=20, in USD above 0 and up to 1000000",
  doc: "Dollars a day of a tenant, an agent, a conversation or a model, after which nothing more is sent for it; `*` gives each one its own.",
  secret: false,
  decode: (text) => {
    if (text === "") return Option.some([])
    const given = Option.all(list(text).map(budgetOf))
    const isOnceEach = (budgets: ReadonlyArray<BudgetSetting>) =>
      new Set(budgets.map(({ name, scope }) => `${scope}:${name}`)).size === budgets.length
    return Option.filter(given, isOnceEach)
  }
}
