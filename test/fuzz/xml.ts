/** Makes XML, spoils it, and asks saxes (strict, with namespaces) what it thinks of it. */
import { SaxesParser, type SaxesTagNS } from 'saxes'

/** A small generator with a seed: the same numbers on every machine (mulberry32). */
export class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** A whole number from 0 up to, and without, `sides`. */
  roll(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
  pick<T>(from: readonly T[]): T {
    return from[this.roll(from.length)]!
  }
}

export const HEADER = "<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' to='a'>"

const SEEDS = [
  `<message to='romeo@example.net/a' type='chat' id='1'><body>Wherefore art thou?</body></message>`,
  `<message xml:lang='en'><body xml:lang='de'>Grüße 💜</body><x xmlns='urn:x' a="b"/></message>`,
  `<iq type='get' id='2'><query xmlns='jabber:iq:roster' ver=''><item jid='a@b'/></query></iq>`,
  `<message><p:a xmlns:p='urn:p' p:b='1' c='2'><p:d/>t</p:a><s:e/></message>`,
  `<p:message xmlns:p='jabber:client' xmlns:q='urn:q' q:a='&lt;'>x<q:b/></p:message>`,
  `<presence><c a='x&#x41;\n&amp;'>]]<![CDATA[<a>]] >]]>&#10;\r\n</c></presence>`,
  `<a xmlns=''><b xmlns='urn:b'><c xmlns=''/></b></a>`,
  `<ü ñ='é'><名:前 xmlns:名='urn:名' 名:x=''/></ü>`,
]
const TOKENS = [
  '<', '>', '&', "'", '"', '/', '=', ' ', ':', ';', '!', '?', ']', ']]>', '\r', '\n', '\t', '\0', '\x0b', '\x7f',
  '<!--', '-->', '<?', '?>', '<?xml ?>', '<!', '<![CDATA[', '<!DOCTYPE a>', '</', '/>', '<a>', '</a>', '<a/>', '</message>',
  '&amp;', '&lt;', '&foo;', '&#0;', '&#65;', '&#x1F600;', '&#xD800;', '&#xFFFE;', '&#', '&#x', 'xmlns', "xmlns=''",
  " xmlns='urn:a'", " xmlns:p='urn:p'", " xmlns:p=''", " xmlns:xml='urn:a'", " xmlns:q='urn:p'", ' p:b="1"', ' a="1"',
  " xmlns:xml='http://www.w3.org/XML/1998/namespace'", "xmlns:a='http://www.w3.org/2000/xmlns/'", 'p:', 'xml:', 's:', '-', '.', '1',
  'é', '💜', '\u00b7', '\u00d7', '\ufeff', '\uffff', '\ufffd', '__proto__',
] // prettier-ignore

/** A stream of one to three stanzas, mostly spoilt in a few places. */
export function spoiltStream(dice: Dice): Buffer {
  let bytes = Buffer.from(
    Array.from({ length: 1 + dice.roll(3) }, () => dice.pick(SEEDS)).join(dice.pick(['', ' '])),
  )
  for (let wounds = dice.roll(4); wounds > 0; wounds--) bytes = wounded(bytes, dice)
  return Buffer.concat([Buffer.from(HEADER), bytes, Buffer.from('</s:stream>')])
}

function wounded(bytes: Buffer, dice: Dice): Buffer<ArrayBuffer> {
  const at = dice.roll(bytes.length + 1)
  const to = Math.min(bytes.length, at + dice.roll(12))
  const head = bytes.subarray(0, at)
  switch (dice.roll(6)) {
    case 0:
      return Buffer.concat([head, bytes.subarray(to)])
    case 1:
      return Buffer.concat([head, bytes.subarray(at, to), bytes.subarray(at)])
    case 2:
      return Buffer.concat([head, Buffer.of(dice.roll(256)), bytes.subarray(at + 1)])
    case 3:
      return Buffer.concat([
        head,
        bytes.subarray(dice.roll(bytes.length + 1)).subarray(0, 8),
        bytes.subarray(at),
      ])
    default:
      return Buffer.concat([head, Buffer.from(dice.pick(TOKENS)), bytes.subarray(at)])
  }
}

/** A tree as nested arrays, in which two parsers can be compared: `{ns}local`, sorted attributes, children. */
export type Shape = [name: string, attributes: string[], children: (Shape | string)[]]

/** What the first-level elements of the stream are according to saxes; undefined when it or RFC 6120 §11 refuse them. */
export function oracle(bytes: Buffer): Shape[] | undefined {
  const elements: Shape[] = []
  const open: Shape[] = []
  const parser = new SaxesParser({ xmlns: true })
  const refuse = () => {
    throw new Refused()
  }
  parser.on('error', refuse)
  parser.on('comment', refuse)
  parser.on('processinginstruction', refuse)
  parser.on('doctype', refuse)
  const addText = (text: string) => {
    const here = open.at(-1)
    if (!here) return
    if (open.length === 1 && /[^ \t\r\n]/.test(text)) refuse()
    if (text === '' || open.length === 1) return
    const children = here[2]
    if (typeof children.at(-1) === 'string')
      children[children.length - 1] = `${children.at(-1) as string}${text}`
    else children.push(text)
  }
  parser.on('text', addText)
  parser.on('cdata', (text) => (open.length === 1 ? refuse() : addText(text)))
  parser.on('opentag', (tag) => {
    const names = [tag, ...Object.values(tag.attributes)].flatMap(({ prefix, local }) => [prefix, local])
    // saxes lets what follows a colon begin with what may not begin a name (Namespaces in XML 1.0 §4, NCName).
    if (names.some((name) => /^(?:[-.0-9\u00b7\u203f\u2040]|[\u0300-\u036f])/u.test(name))) refuse()
    const shape = shapeOf(tag)
    if (open.length === 1) elements.push(shape)
    else open.at(-1)?.[2].push(shape)
    open.push(shape)
  })
  parser.on('closetag', () => open.pop())
  try {
    parser.write(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)).close()
    return elements
  } catch (error) {
    if (error instanceof Refused || error instanceof TypeError) return undefined
    throw error
  }
}

/** Whether a namespace may begin or end with white space: saxes takes that away, Namespaces in XML 1.0 does not. */
export function hasSpacedNamespace(bytes: Buffer): boolean {
  const values = bytes.toString().matchAll(/xmlns[^=]*=\s*(?:'([^']*)'|"([^"]*)")/g)
  return [...values].some(([, single, double]) => {
    const value = single ?? double ?? ''
    return value.trim() !== value || value.includes('&#')
  })
}

class Refused extends Error {}

function shapeOf(tag: SaxesTagNS): Shape {
  const attributes = Object.values(tag.attributes)
    .filter(({ prefix, name }) => prefix !== 'xmlns' && name !== 'xmlns')
    .map(({ uri, local, value }) => `{${uri}}${local}=${value}`)
  return [`{${tag.uri}}${tag.local}`, attributes.sort(), []]
}
