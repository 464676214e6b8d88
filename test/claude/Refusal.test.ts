import { assert, describe, it } from "@effect/vitest"
import { refusal } from "../../src/claude/Refusal.ts"

const body = (message: string, code?: string) => ({
  type: "error",
  error: { type: "rate_limit_error", message, ...(code === undefined ? {} : { details: { error_code: code } }) },
  request_id: "req_body"
})
const reasonOf = (status: number, content: unknown, headers: Readonly<Record<string, string>> = {}) =>
  refusal({ status, headers, body: content }, 1_000).reason

describe("refusal", () => {
  const wait = { "retry-after": "5" }
  const kinds = [
    ["rate", 429, body("slow down"), wait],
    ["rate", 429, body("slow down"), {}],
    ["rate", 429, body("Workspace usage limits, wait"), wait],
    ["ramp", 429, body("slow down", "ramp_limit_exceeded"), wait],
    ["spend", 429, body("stop", "enforced_spend_limit_reached"), wait],
    ["spend", 429, body("stop", "contract_spend_limit_reached"), {}],
    ["spend", 429, body("You have reached your specified API usage limits."), {}],
    ["spend", 402, body("stop", "linked_organization_spend_limit_reached"), {}]
  ] as const
  for (const [kind, status, content, headers] of kinds) {
    it(`tells a ${kind} limit: ${status} ${JSON.stringify(content.error)} ${JSON.stringify(headers)}`, () => {
      const reason = reasonOf(status, content, headers)
      assert.strictEqual(reason._tag === "RateLimited" && reason.kind, kind)
    })
  }

  it("names the others by status", () => {
    const tags = [400, 402, 404, 413, 500, 503, 504, 529].map((status) => reasonOf(status, "no JSON")._tag)
    const expected = [
      "Rejected",
      "Rejected",
      "Rejected",
      "Rejected",
      "ServerFault",
      "ServerFault",
      "ServerFault",
      "Overloaded"
    ]
    assert.deepStrictEqual(tags, expected)
  })

  it("takes the request id from the header, or from the body", () => {
    const idOf = (headers: Readonly<Record<string, string>>) => {
      const reason = reasonOf(500, body("x"), headers)
      return reason._tag === "ServerFault" && reason.requestId
    }
    assert.deepStrictEqual([idOf({ "request-id": "req_header" }), idOf({})], ["req_header", "req_body"])
  })
})
