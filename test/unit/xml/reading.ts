/** Runs the parser over bytes cut in every way and says what came out, for the tables of inputs. */
import { defaultLimits, Parser, XmlFault, type Framing, type ParserLimits } from '../../../src/xml/parser.js'

export const STREAM =
  "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

export interface Reading {
  /** One line per event; elements as the text of their tree. */
  readonly events: readonly string[]
  readonly fault: string | undefined
  readonly pending: number
}

/** Feeds the chunks one after the other and takes every event at once. White space events are left out. */
export function read(
  chunks: readonly Buffer[],
  framing: Framing = 'stream',
  limits: ParserLimits = defaultLimits,
): Reading {
  const parser = new Parser(limits, framing)
  const events: string[] = []
  try {
    for (const chunk of chunks) {
      parser.push(Buffer.from(chunk))
      for (let event = parser.next(); event; event = parser.next()) {
        if (event.what === 'header') {
          const { prefix, local, ns, contentNs, attrs } = event.header
          events.push(`header ${JSON.stringify({ prefix, local, ns, contentNs, attrs })}`)
        } else if (event.what === 'element') events.push(`element ${event.element.toElement().toString()}`)
        else if (event.what === 'oversize') events.push(`oversize ${event.limit} ${event.element.name}`)
        else if (event.what === 'end') events.push('end')
      }
    }
    return { events, fault: undefined, pending: parser.pending }
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error
    return { events, fault: error.condition, pending: 0 }
  }
}

/** Every way to read the bytes that the tables ask for: byte by byte, and cut in two at each place. */
export function* cuts(bytes: Buffer): Generator<readonly Buffer[]> {
  yield Array.from(bytes, (byte) => Buffer.of(byte))
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)]
}

/** The text as bytes; `\xNN` is the byte NN, so that ill-formed UTF-8 can be written. Anything above is UTF-8. */
export function bytesOf(text: string): Buffer {
  return Buffer.concat(
    Array.from(text, (character) =>
      character.codePointAt(0)! < 0x100 ? Buffer.from(character, 'latin1') : Buffer.from(character),
    ),
  )
}
