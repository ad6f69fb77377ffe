/** Prefixes in scope (Namespaces in XML 1.0 §3, §6.1). */
import { malformed } from './limits.js'
import { NS } from './namespaces.js'

export interface Declaration {
  readonly prefix: string
  readonly ns: string
  readonly depth: number
  /** The one that was made before it. */
  readonly before: Declaration | undefined
}

/** A chain, not arrays: each open stream keeps one, with a declaration or two. */
export class Scope {
  #last: Declaration | undefined = undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The depth of the last declaration that holds. */
  get deepest(): number {
    return this.#last?.depth ?? 0
  }

  /** @throws XmlFault when the declaration is one that Namespaces in XML 1.0 §2.2 and §3 forbid */
  declare(prefix: string, ns: string, depth: number): void {
    if (prefix === 'xmlns') throw malformed('The prefix xmlns cannot be declared')
    if ((prefix === 'xml') !== (ns === NS.xml) || ns === NS.xmlns)
      throw malformed('A reserved prefix or namespace in a declaration')
    if (ns === '') throw malformed('A prefix cannot be declared away')
    if (prefix === 'xml') return
    this.#last = { prefix, ns, depth, before: this.#last }
    this.#size++
  }

  /** Forgets what was declared deeper than `depth`. */
  leave(depth: number): void {
    while (this.#last && this.#last.depth > depth) {
      this.#last = this.#last.before
      this.#size--
    }
  }

  /** The innermost declaration of the prefix. */
  find(prefix: string): Declaration | undefined {
    let one = this.#last
    while (one && one.prefix !== prefix) one = one.before
    return one
  }

  /** All that is in scope down to `depth`, as attributes. */
  declarations(depth: number): Record<string, string> {
    const outermostFirst: Declaration[] = []
    for (let one = this.#last; one; one = one.before) if (one.depth <= depth) outermostFirst.unshift(one)
    const attributes = Object.create(null) as Record<string, string>
    for (const { prefix, ns } of outermostFirst) attributes[`xmlns:${prefix}`] = ns
    return attributes
  }
}
