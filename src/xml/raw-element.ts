/** What the parser hands out: a stream's header, and first-level elements whose tree is built only when asked for. */
import { Element } from './element.js'
import { growInto } from './tree.js'
import { escapeText, serialise } from './write.js'

/** The start tag of a stream (RFC 6120 §4.2). */
export class StreamHeader {
  /** @param attrs without namespace declarations; null prototype; prefixed ones keep their prefix (`xml:lang`) */
  constructor(
    readonly prefix: string,
    readonly local: string,
    readonly ns: string,
    /** The content namespace (RFC 6120 §4.8.2): the default namespace, if the header declares one. */
    readonly contentNs: string | undefined,
    readonly attrs: Record<string, string>,
  ) {}
}

/** A first-level child of a `RawElement`; `start` and `end` are offsets into `inner`. */
export interface ChildSpan {
  readonly name: string
  readonly ns: string
  readonly start: number
  readonly end: number
}

/** A complete first-level element: start tag facts, the content's text and an index of its children. */
export class RawElement {
  #tree: Element | undefined

  /**
   * @param name local name
   * @param attrs decoded; null prototype. Without namespace declarations, except those that the prefixes of other
   *   attributes here need, so that the start tag can be written anew from it.
   * @param inner the content as XML that stands on its own where `ns` is the default namespace
   * @param bytes size on the wire
   */
  constructor(
    readonly name: string,
    readonly ns: string,
    readonly attrs: Record<string, string>,
    readonly inner: string,
    readonly children: readonly ChildSpan[],
    readonly bytes: number,
  ) {
    this.#tree = undefined
  }

  /** Whether there is a first-level child of that name. Builds nothing. */
  has(name: string, ns?: string): boolean {
    return this.#find(name, ns) >= 0
  }

  /** The tree of the first such child, and of that child only. */
  child(name: string, ns?: string): Element | undefined {
    if (this.#tree) return this.#tree.child(name, ns)
    const index = this.#find(name, ns)
    if (index < 0) return undefined
    const { start, end } = this.children[index]!
    const holder = new Element(this.name)
    growInto(holder, this.inner, start, end)
    const child = holder.children[0] as Element
    child.parent = null
    if (child.attrs['xmlns'] === undefined) child.attrs['xmlns'] = this.ns
    return child
  }

  /** The whole tree; built once and kept. */
  toElement(): Element {
    if (!this.#tree) {
      const tree = new Element(this.name)
      tree.attrs['xmlns'] = this.ns
      for (const name in this.attrs) tree.attrs[name] = this.attrs[name]!
      growInto(tree, this.inner)
      this.#tree = tree
    }
    return this.#tree
  }

  #find(name: string, ns: string | undefined): number {
    const { children } = this
    for (let i = 0; i < children.length; i++) {
      const child = children[i]!
      if (child.name === name && (ns === undefined || child.ns === ns)) return i
    }
    return -1
  }
}

/**
 * Writes content anew that cannot be passed on as it came: CDATA sections, character references, CRs and prefixes
 * declared further out disappear.
 * @param declarations what is declared outside: `xmlns` and `xmlns:…` attributes
 * @param ns the default namespace where the result is to stand
 * @param most characters the result may have: a long namespace declared once outside may be needed by each child
 * @returns undefined when it would have more
 */
export function rewrite(
  source: string,
  declarations: Readonly<Record<string, string>>,
  ns: string,
  most: number,
): { inner: string; children: ChildSpan[] } | undefined {
  const holder = new Element('content', declarations)
  growInto(holder, source)
  const children: ChildSpan[] = []
  let inner = ''
  for (const child of holder.children) {
    if (inner.length > most) return undefined
    if (typeof child === 'string') {
      inner += escapeText(child)
      continue
    }
    const start = inner.length
    inner += serialise(child, ns)
    children.push({ name: child.getName(), ns: child.getNS() ?? '', start, end: inner.length })
  }
  return inner.length > most ? undefined : { inner, children }
}
