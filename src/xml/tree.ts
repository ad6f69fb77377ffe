/** Growing a tree of elements from source text that the scanner has found well-formed. */
import { APOSTROPHE, BANG, EQUAL, GT, SLASH } from './bytes.js'
import { decodeText, decodeValue, normaliseLines } from './characters.js'
import { Element } from './element.js'
import { wordIn } from './words.js'

const SMALL = 4096

/** Appends what `source` holds from `from` to `to` to the children of `parent`. The text must be well-formed. */
export function growInto(parent: Element, source: string, from = 0, to = source.length): void {
  new Growth(source).grow(parent, from, to)
}

class Growth {
  readonly #source: string
  // What need not be looked for in each part.
  readonly #hasReferences: boolean
  readonly #hasLineEnds: boolean
  readonly #hasSpaces: boolean
  readonly #isLarge: boolean

  constructor(source: string) {
    this.#source = source
    this.#hasReferences = source.includes('&')
    this.#hasLineEnds = source.includes('\r')
    this.#hasSpaces = this.#hasLineEnds || source.includes('\n') || source.includes('\t')
    this.#isLarge = source.length > SMALL
  }

  grow(parent: Element, from: number, to: number): void {
    const source = this.#source
    let here = parent
    let text = ''
    let at = from
    while (at < to) {
      const tag = source.indexOf('<', at)
      const end = tag < 0 || tag > to ? to : tag
      if (end > at) text += this.#text(at, end)
      if (end === to) break
      const kind = source.charCodeAt(tag + 1)
      if (kind === BANG) {
        const close = source.indexOf(']]>', tag)
        text += normaliseLines(this.#part(tag + '<![CDATA['.length, close))
        at = close + ']]>'.length
        continue
      }
      if (text !== '') {
        here.children.push(text)
        text = ''
      }
      if (kind === SLASH) {
        here = here.parent as Element
        at = source.indexOf('>', tag) + 1
        continue
      }
      const nameTo = nameEnd(source, tag + 1)
      const child = new Element(this.#name(tag + 1, nameTo))
      child.parent = here
      here.children.push(child)
      at = this.#attributes(child, nameTo)
      if (source.charCodeAt(at - 2) !== SLASH) here = child
    }
    if (text !== '') here.children.push(text)
  }

  /** Reads attributes from behind the element's name on; returns the place behind the tag's `>`. */
  #attributes(element: Element, from: number): number {
    const source = this.#source
    let at = from
    for (;;) {
      at = skipSpace(source, at)
      const code = source.charCodeAt(at)
      if (code === GT) return at + 1
      if (code === SLASH) return at + 2
      const end = nameEnd(source, at)
      const name = this.#name(at, end)
      const open =
        source.charCodeAt(end + 1) === APOSTROPHE ? end + 1 : skipSpace(source, source.indexOf('=', end) + 1)
      const close = source.indexOf(source.charCodeAt(open) === APOSTROPHE ? "'" : '"', open + 1)
      element.attrs[name] = this.#value(open + 1, close)
      at = close + 1
    }
  }

  #text(from: number, to: number): string {
    const part = this.#part(from, to)
    return this.#hasReferences || this.#hasLineEnds ? decodeText(part) : part
  }

  #value(from: number, to: number): string {
    const known = wordIn(this.#source, from, to)
    if (known !== undefined) return known
    const part = this.#part(from, to)
    return this.#hasReferences || this.#hasSpaces ? decodeValue(part) : part
  }

  #name(from: number, to: number): string {
    return wordIn(this.#source, from, to) ?? this.#part(from, to)
  }

  /** A part of the source. Of a large one it is a copy: a name kept for years must not keep 200 KB alive. */
  #part(from: number, to: number): string {
    const part = this.#source.slice(from, to)
    return this.#isLarge && part.length > 12 && part.length < this.#source.length / 2
      ? Buffer.from(part).toString()
      : part
  }
}

function skipSpace(source: string, from: number): number {
  let at = from
  while (source.charCodeAt(at) <= 0x20) at++
  return at
}

/** The end of a name in a tag: the next white space, `=`, `/` or `>`. */
function nameEnd(source: string, from: number): number {
  for (let at = from; ; at++) {
    const code = source.charCodeAt(at)
    if (code <= 0x20 || code === EQUAL || code === SLASH || code === GT) return at
  }
}
