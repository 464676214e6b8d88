/** What orchestrators send: through the gateway and as conversation turns. */

export interface Ask {
  readonly model?: string
  readonly tenant?: string
  readonly agent?: string
  readonly text: string
  readonly maxTokens?: number
  readonly headers?: Readonly<Record<string, string>>
}

const json = { "content-type": "application/json", "anthropic-version": "2023-06-01" }

/** One request through the gateway; answers its status. */
export const ask = async (url: string, { agent, headers, maxTokens, model, text }: Ask): Promise<number> => {
  const response = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { ...json, ...headers, ...(agent === undefined ? {} : { "x-sluice-agent": agent }) },
    body: JSON.stringify({
      model: model ?? "claude-haiku-5-5",
      max_tokens: maxTokens ?? 200,
      messages: [{ role: "user", content: text }]
    })
  })
  await response.arrayBuffer()
  return response.status
}

const withToken = (token?: string) => (token === undefined ? json : { ...json, authorization: `Bearer ${token}` })

export const converse = async (url: string, title: string, token?: string): Promise<string> => {
  const body = JSON.stringify({ title })
  const response = await fetch(`${url}/api/conversations`, { method: "POST", headers: withToken(token), body })
  const created: unknown = await response.json()
  if (typeof created === "object" && created !== null && "id" in created && typeof created.id === "string") {
    return created.id
  }
  throw new Error(`No conversation was created: ${JSON.stringify(created)}`)
}

export interface Turn {
  readonly conversation: string
  readonly content: string
  readonly agent?: string
  readonly token?: string | undefined
}

export const say = async (url: string, { agent, content, conversation, token }: Turn): Promise<void> => {
  const body = JSON.stringify({ content, ...(agent === undefined ? {} : { agent }) })
  const path = `${url}/api/conversations/${conversation}/messages`
  const response = await fetch(path, { method: "POST", headers: withToken(token), body })
  await response.arrayBuffer()
}

/** A text of about so many tokens that reads like work. */
export const prose = (about: string, tokens: number): string => {
  const sentence = `The ${about} job reported its state, the ledger was checked against the upstream bill, and nothing was lost. `
  return `${about}: ${sentence.repeat(Math.ceil(tokens / 20))}`
}
