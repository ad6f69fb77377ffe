/**
 * How long it takes to parse, read and write typical stanzas: `npm run bench -- parse`. Last accepted, in µs on 2 cores
 * of an AMD EPYC with Node 20: message of 379 bytes 2.3, with its tree 4.2; of 510 bytes 3.1 and 5.9; roster 35 and 123.
 */
import { performance } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { defaultLimits, Parser, type RawElement } from '../../src/xml/parser.js'
import { serialise } from '../../src/xml/write.js'

const HEADER =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>"

/** A chat message as clients send it. */
const MESSAGE =
  "<message to='romeo@montague.example' from='juliet@capulet.example/balcony' type='chat' id='b4a6c1d2-8b1f-4c33-9a51-0f2d7e1a9c55' xml:lang='en'>" +
  '<body>Wherefore art thou, Romeo? Deny thy father and refuse thy name.</body>' +
  "<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>" +
  "<origin-id xmlns='urn:xmpp:sid:0' id='b4a6c1d2-8b1f-4c33'/></message>"

/** The same with more extensions. */
const LONG_MESSAGE = MESSAGE.replace(
  '</message>',
  "<markable xmlns='urn:xmpp:chat-markers:0'/><store xmlns='urn:xmpp:hints'/>" +
    "<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs'/></message>",
)
const CYRILLIC = MESSAGE.replace('Wherefore art thou, Romeo?', 'О, зачем же ты Ромео?')
const ROSTER = `<iq type='set' id='1'><query xmlns='jabber:iq:roster'>${"<item jid='someone@example.org' name='Some One' subscription='both'><group>Friends</group></item>".repeat(100)}</query></iq>`

/**
 * Measures every case and gives a line for each.
 * @param seconds how long each case is repeated
 */
export function parseBenchmark(print: (line: string) => void, seconds = 0.5): void {
  const report = (name: string, stanza: string, perCall: number, run: () => void) => {
    const micros = measure(run, seconds) / perCall
    const bytes = Buffer.byteLength(stanza)
    print(
      `${name.padEnd(44)} ${micros.toFixed(2).padStart(8)} µs  ${(bytes / micros).toFixed(0).padStart(5)} MB/s`,
    )
  }
  for (const [name, stanza] of [
    [`message of ${MESSAGE.length} bytes`, MESSAGE],
    [`message of ${LONG_MESSAGE.length} bytes`, LONG_MESSAGE],
    ['message with Cyrillic text', CYRILLIC],
    ['roster of 100', ROSTER],
  ] as const) {
    report(
      `${name}, event only`,
      stanza,
      1,
      reading(stanza, 1, () => {}),
    )
    report(
      `${name}, with its tree`,
      stanza,
      1,
      reading(stanza, 1, (element) => element.toElement()),
    )
  }
  report(
    'message, 32 in one read, event only',
    MESSAGE,
    32,
    reading(MESSAGE, 32, () => {}),
  )
  report(
    'message, one child',
    MESSAGE,
    1,
    reading(MESSAGE, 1, (element) => element.child('body')),
  )
  report('message, byte by byte', MESSAGE, 1, byteByByte(MESSAGE))
  const tree = firstOf(parserFor(), Buffer.from(MESSAGE)).toElement()
  report('message, tree to text', MESSAGE, 1, () => serialise(tree, 'jabber:client'))
}

function parserFor(): Parser {
  const parser = new Parser(defaultLimits)
  parser.push(Buffer.from(HEADER))
  parser.next()
  return parser
}

function firstOf(parser: Parser, bytes: Buffer): RawElement {
  parser.push(bytes)
  const event = parser.next()
  if (event?.what !== 'element') throw new Error(`the benchmark's stanza gives ${event?.what}`)
  return event.element
}

function reading(stanza: string, count: number, use: (element: RawElement) => void): () => void {
  const parser = parserFor()
  const bytes = Buffer.from(stanza.repeat(count))
  return () => {
    parser.push(bytes)
    for (let event = parser.next(); event; event = parser.next()) {
      if (event.what === 'element') use(event.element)
    }
  }
}

function byteByByte(stanza: string): () => void {
  const parser = parserFor()
  const bytes = Array.from(Buffer.from(stanza), (byte) => Buffer.of(byte))
  return () => {
    for (const byte of bytes) {
      parser.push(byte)
      parser.next()
    }
  }
}

/** Microseconds of one call: the best of many short rounds, so that other work on the machine hardly counts. */
function measure(run: () => void, seconds: number): number {
  const end = performance.now() + seconds * 1000
  let best = Infinity
  for (let calls = 1; performance.now() < end;) {
    const start = performance.now()
    for (let i = 0; i < calls; i++) run()
    const spent = performance.now() - start
    best = Math.min(best, (spent * 1000) / calls)
    if (spent < 0.2) calls *= 2
  }
  return best
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) parseBenchmark(console.log)
