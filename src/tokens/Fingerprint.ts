const PRIME_A = 0x01000193
const PRIME_B = 0x85ebca6b
/** Texts up to this length are read whole; of longer ones this many characters at each end and in between. */
const whole = 144
const sample = 48
/** Costs nothing and moves from request to request. */
export const breakpoint = "cache_control"

/** The `i`th character to read of a text that is sampled. */
const position = (i: number, length: number, stride: number): number => {
  if (i < sample) return i
  return i < 2 * sample ? sample + Math.floor((i - sample) * stride) : length - 1 - (i - 2 * sample)
}

/**
 * A hash to recognise content by when it comes back in new objects. Cheap: long texts are sampled, so two texts of equal
 * length that differ only between the samples look alike. It decides what is estimated anew, nothing else.
 */
export class Fingerprint {
  private a: number
  private b: number

  constructor(seed = 0) {
    this.a = 0x811c9dc5 ^ Math.floor(seed / 0x200000)
    this.b = 0x9747b28c ^ (seed % 0x200000)
  }

  private mix(n: number): void {
    this.a = Math.imul(this.a ^ n, PRIME_A)
    this.b = Math.imul((this.b ^ n) + (this.b >>> 13), PRIME_B)
  }

  text(text: string): this {
    const { length } = text
    // Locals: this runs for every text of every request.
    let a = Math.imul(this.a ^ length, PRIME_A)
    let b = Math.imul(this.b ^ length, PRIME_B)
    const stride = length <= whole ? 1 : (length - 2 * sample) / sample
    const last = length <= whole ? length : 3 * sample
    for (let i = 0; i < last; i++) {
      const code = text.charCodeAt(length <= whole ? i : position(i, length, stride))
      a = Math.imul(a ^ code, PRIME_A)
      b = Math.imul((b ^ code) + (b >>> 13), PRIME_B)
    }
    this.a = a
    this.b = b
    return this
  }

  /** Any number; of one that is not an integer three decimals. */
  number(n: number): this {
    this.mix(n | 0)
    this.mix(Math.floor(n / 0x100000000) ^ Math.floor((n % 1) * 1000))
    return this
  }

  /** A JSON value, but for its `cache_control`. */
  json(value: unknown): this {
    if (typeof value === "string") return this.text(value)
    if (Array.isArray(value)) return value.reduce<this>((self, item) => self.json(item), this.number(value.length))
    if (typeof value !== "object" || value === null) return this.text(String(value))
    for (const [name, field] of Object.entries(value)) if (name !== breakpoint) this.text(name).json(field)
    return this.number(-1)
  }

  /** 53 bits, as a safe integer. */
  value(): number {
    return (this.a >>> 0) * 0x200000 + (this.b >>> 11)
  }
}
