/** Growing a tree of elements from source text that the scanner has found well-formed. */
import { decodeText, decodeValue, normaliseLines } from './characters.js'
import { Element } from './element.js'

const SLASH = 0x2f
const BANG = 0x21

/** Appends what `source` holds from `from` to `to` to the children of `parent`. The text must be well-formed. */
export function growInto(parent: Element, source: string, from = 0, to = source.length): void {
  let here = parent
  let text = ''
  let at = from
  while (at < to) {
    const tag = source.indexOf('<', at)
    const end = tag < 0 || tag > to ? to : tag
    if (end > at) text += decodeText(own(source, at, end))
    if (end === to) break
    const kind = source.charCodeAt(tag + 1)
    if (kind === BANG) {
      const close = source.indexOf(']]>', tag)
      text += normaliseLines(own(source, tag + '<![CDATA['.length, close))
      at = close + ']]>'.length
      continue
    }
    if (text !== '') {
      here.children.push(text)
      text = ''
    }
    at = source.indexOf('>', tag) + 1
    if (kind === SLASH) here = here.parent as Element
    else {
      const child = new Element(own(source, tag + 1, nameEnd(source, tag + 1)))
      child.parent = here
      here.children.push(child)
      at = readAttributes(child, source, tag + 1 + child.name.length)
      if (source.charCodeAt(at - 2) !== SLASH) here = child
    }
  }
  if (text !== '') here.children.push(text)
}

/** Reads attributes from behind the element's name on; returns the place behind the tag's `>`. */
function readAttributes(element: Element, source: string, from: number): number {
  let at = from
  for (;;) {
    at = skipSpace(source, at)
    const code = source.charCodeAt(at)
    if (code === 0x3e) return at + 1
    if (code === SLASH) return at + 2
    const end = nameEnd(source, at)
    const name = own(source, at, end)
    const open = skipSpace(source, source.indexOf('=', end) + 1)
    const close = source.indexOf(source[open]!, open + 1)
    element.attrs[name] = decodeValue(own(source, open + 1, close))
    at = close + 1
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
    if (code <= 0x20 || code === 0x3d || code === SLASH || code === 0x3e) return at
  }
}

const SMALL = 4096

/** A part of the source. Of a large one it is a copy: a name kept for years must not keep 200 KB alive. */
function own(source: string, from: number, to: number): string {
  const part = source.slice(from, to)
  return source.length > SMALL && part.length > 12 && part.length < source.length / 2
    ? Buffer.from(part).toString()
    : part
}
