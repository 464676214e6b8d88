import type { SqlError } from "effect/sql"

/** What the database or the network said, in its own words; up to 400 characters. */
export const reasonOf = ({ reason }: SqlError.SqlError): string => {
  const { cause } = reason
  const detail = cause instanceof AggregateError ? cause.errors[0] : cause
  const text = detail instanceof Error && detail.message !== "" ? detail.message : (reason.message ?? reason._tag)
  return text.slice(0, 400)
}
