/** The data of each server-sent event of a body, as it arrives. */
export async function* sseLines(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  let data: Array<string> = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const lines = (rest + value).split(/\r\n|\n|\r/)
      rest = lines.pop() ?? ""
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(5).trimStart())
        else if (line === "" && data.length > 0) {
          yield data.join("\n")
          data = []
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}
