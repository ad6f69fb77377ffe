/** Prefixes in scope (Namespaces in XML 1.0 §3, §6.1). */
import { malformed } from './limits.js'
import { NS } from './namespaces.js'

export class Scope {
  readonly #prefixes: string[] = []
  readonly #namespaces: string[] = []
  readonly #depths: number[] = []
  /** The depth of the last declaration that holds. */
  deepest = 0

  get size(): number {
    return this.#prefixes.length
  }

  /** @throws XmlFault when the declaration is one that Namespaces in XML 1.0 §2.2 and §3 forbid */
  declare(prefix: string, ns: string, depth: number): void {
    if (prefix === 'xmlns') throw malformed('The prefix xmlns cannot be declared')
    if ((prefix === 'xml') !== (ns === NS.xml) || ns === NS.xmlns)
      throw malformed('A reserved prefix or namespace in a declaration')
    if (ns === '') throw malformed('A prefix cannot be declared away')
    if (prefix === 'xml') return
    this.#prefixes.push(prefix)
    this.#namespaces.push(ns)
    this.#depths.push(depth)
    this.deepest = depth
  }

  /** Forgets what was declared deeper than `depth`. */
  leave(depth: number): void {
    while (this.#depths.length > 0 && this.#depths.at(-1)! > depth) {
      this.#prefixes.pop()
      this.#namespaces.pop()
      this.#depths.pop()
    }
    this.deepest = this.#depths.at(-1) ?? 0
  }

  /** The innermost declaration of the prefix: an index for `ns` and `depth`, or -1. */
  find(prefix: string): number {
    return this.#prefixes.lastIndexOf(prefix)
  }

  ns(index: number): string {
    return this.#namespaces[index]!
  }

  depth(index: number): number {
    return this.#depths[index]!
  }

  /** All that is in scope down to `depth`, as attributes. */
  declarations(depth: number): Record<string, string> {
    const attributes = Object.create(null) as Record<string, string>
    for (let i = 0; i < this.#prefixes.length; i++) {
      if (this.#depths[i]! <= depth) attributes[`xmlns:${this.#prefixes[i]!}`] = this.#namespaces[i]!
    }
    return attributes
  }
}
