/** Between the engine and its worker thread. A request is a batch, or `null` to close; requests are answered in order. */
export type Request = Uint8Array<ArrayBuffer> | null
export type Reply =
  | { readonly _tag: "ready" }
  | { readonly _tag: "answer"; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly _tag: "failed"; readonly reason: string }
  | { readonly _tag: "closed" }
