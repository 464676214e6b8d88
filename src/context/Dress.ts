import { withBreakpoint } from "./Prepared.ts"
import type { Shell } from "./PreparedContext.ts"

export type Dressed = Shell & Pick<ReturnType<typeof withBreakpoint>, "breakpoints">

/** A conversation's shell with its breakpoint, made once per shell: equal bytes, and equal objects for the estimator. */
export class Dress {
  private known: { readonly given: Shell; readonly longLived: boolean; readonly dressed: Dressed } | undefined

  of(given: Shell, longLived: boolean): Dressed {
    const { known } = this
    const same =
      known?.given.system === given.system &&
      known?.given.tools === given.tools &&
      known?.given.model === given.model &&
      known.longLived === longLived
    if (known !== undefined && same) return known.dressed
    const dressed = { model: given.model, ...withBreakpoint(given, longLived) }
    this.known = { given, longLived, dressed }
    return dressed
  }
}
