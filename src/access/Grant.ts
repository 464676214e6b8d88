import { Schema } from "effect"
import { Priority } from "../domain/Caller.ts"
import { NanoUsd } from "../domain/Money.ts"

/** A tenant's name: what its requests are booked under. */
export const TokenName = Schema.String.check(
  Schema.isPattern(/^[\w.-]{1,100}$/, { expected: "a name of letters, digits, `.`, `_` and `-`, at most 100" })
)

/** A tenant's part of what everybody shares, against the 1 of those who have none of their own. */
export const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1000 }))

/** What a token grants. The name is the tenant; the token itself is nowhere but with its holder. */
export const Grant = Schema.Struct({
  name: TokenName,
  agent: Schema.NullOr(Schema.String).annotate({ description: "who asks, when a request does not say" }),
  priority: Schema.NullOr(Priority).annotate({ description: "the default, and the highest a request may ask for" }),
  dailyBudgetNanoUsd: Schema.NullOr(NanoUsd).annotate({ description: "the tenant's own limit a day" }),
  share: Share.annotate({ description: "weight in the fair queue, against other tenants" }),
  source: Schema.Literals(["environment", "database"]),
  createdAt: Schema.NullOr(Schema.Natural).annotate({ description: "milliseconds since the epoch" })
}).annotate({ identifier: "Grant" })
export interface Grant extends Schema.Schema.Type<typeof Grant> {}

const urgency = Priority.literals

/** The priority that a request gets which asks for `asked`: a token's is the default, and the most its holder may claim. */
export const claimed = <P extends Priority | undefined>(asked: P, grant: Grant | null | undefined): P | Priority => {
  const granted = grant?.priority ?? null
  if (granted === null) return asked
  return asked !== undefined && urgency.indexOf(asked) > urgency.indexOf(granted) ? asked : granted
}

/** Postgres has no NUL in text. */
const storable = Schema.makeFilter<string>((text) => !text.includes("\u0000"), { expected: "a text without NUL" })

/** A token to be made; what is left out is not limited. */
export const NewToken = Schema.Struct({
  name: TokenName,
  agent: Schema.optionalKey(Schema.NonEmptyString.check(Schema.isMaxLength(200), storable)),
  priority: Schema.optionalKey(Priority),
  dailyBudgetUsd: Schema.optionalKey(
    Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1_000_000))
  ),
  share: Schema.optionalKey(Share)
}).annotate({ identifier: "NewToken" })
export interface NewToken extends Schema.Schema.Type<typeof NewToken> {}

/** The tokens could not be read or written. */
export class TokensUnavailable extends Schema.TaggedError<TokensUnavailable>()("TokensUnavailable", {
  operation: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The gateway tokens could not be ${this.operation}: ${this.reason}. Check the database.`
  }
}

/** There is a token of that name already. */
export class TokenExists extends Schema.TaggedError<TokenExists>()("TokenExists", { name: Schema.String }) {
  override get message(): string {
    return `There is a token "${this.name}" already. Revoke it first, or take another name.`
  }
}

/** Too many wrong tokens from one client. */
export class TooManyAttempts extends Schema.TaggedError<TooManyAttempts>()("TooManyAttempts", {
  retryAfterMillis: Schema.Natural
}) {
  override get message(): string {
    return `Too many wrong tokens came from this address. Try again in ${Math.ceil(this.retryAfterMillis / 1000)} seconds.`
  }
}
