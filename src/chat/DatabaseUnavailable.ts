import { Schema } from "effect"

/** The database cannot be opened, or does not answer. `database` names it without secrets; `reason` and `advice` end in no full stop. */
export class DatabaseUnavailable extends Schema.TaggedError<DatabaseUnavailable>()("DatabaseUnavailable", {
  database: Schema.String,
  reason: Schema.String,
  advice: Schema.String
}) {
  override get message(): string {
    return `The database ${this.database} is not available: ${this.reason}. ${this.advice}.`
  }
}
