import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits, Parser, type Parsed } from '../../../src/xml/parser.js'

const STREAM = `<?xml version='1.0'?><stream:stream xmlns='jabber:client'
  xmlns:stream='http://etherx.jabber.org/streams' to='example.org' xml:lang='en' version='1.0'>`

function parse(...chunks: Buffer[]): Parsed[] {
  const parser = new Parser(defaultLimits)
  const events: Parsed[] = []
  for (const chunk of chunks) {
    parser.push(chunk)
    for (let event = parser.next(); event; event = parser.next()) {
      if (event.what !== 'whitespace') events.push(event)
    }
  }
  return events
}

test('a stream becomes its header, its elements and its end, wherever reads cut it', () => {
  const bytes = Buffer.from(
    `${STREAM} \n<message to='romeo@example.org/b' id='x&amp;1' xml:lang='en'><body>Hello &lt; wörld 😀</body>` +
      `<x:a xmlns:x='urn:x' x:b='1'/><request xmlns='urn:xmpp:receipts'/></message>` +
      `<stream:features><a><![CDATA[<b>]]></a></stream:features><iq/></stream:stream>\n`,
  )
  const whole = parse(bytes)
  assert.deepEqual(
    whole.map((event) => event.what),
    ['header', 'element', 'element', 'element', 'end'],
  )
  assert.ok(whole[1]?.what === 'element')
  const message = whole[1].element
  assert.deepEqual({ ...message.attrs }, { to: 'romeo@example.org/b', id: 'x&1', 'xml:lang': 'en' })
  assert.equal(message.child('body')?.text, 'Hello < wörld 😀')
  assert.equal(message.child('a', 'urn:x')?.attrs['x:b'], '1')
  assert.ok(message.has('request', 'urn:xmpp:receipts'))
  for (let cut = 1; cut < bytes.length; cut++) {
    assert.deepEqual(parse(bytes.subarray(0, cut), bytes.subarray(cut)), whole, `cut at ${cut}`)
  }
  assert.deepEqual(parse(...Array.from(bytes, (byte) => Buffer.from([byte]))), whole)
})

test('rest() hands on what is not consumed, to be read by the parser of the restarted stream', () => {
  const parser = new Parser(defaultLimits)
  parser.push(Buffer.from(`${STREAM}<auth/>${STREAM}<iq`))
  assert.equal(parser.next()?.what, 'header')
  assert.equal(parser.next()?.what, 'element')
  const restarted = new Parser(defaultLimits)
  restarted.push(parser.rest())
  assert.equal(restarted.next()?.what, 'header')
  assert.equal(restarted.next(), undefined)
  assert.equal(restarted.rest().toString(), '<iq')
  restarted.push(Buffer.from('/>'))
  assert.equal(restarted.next()?.what, 'element')
  assert.equal(restarted.rest().length, 0)
})

test('a document parser takes one document after the other and knows no stream', () => {
  const parser = new Parser(defaultLimits, 'document')
  parser.push(Buffer.from(`<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a'/>`))
  const open = parser.next()
  assert.ok(open?.what === 'element')
  assert.deepEqual([open.element.name, open.element.ns], ['open', 'urn:ietf:params:xml:ns:xmpp-framing'])
  parser.push(Buffer.from(`<message xmlns='jabber:client'><body>a`))
  assert.equal(parser.next(), undefined)
  assert.ok(parser.pending > 0)
  parser.push(Buffer.from(`</body></message>`))
  const message = parser.next()
  assert.ok(message?.what === 'element')
  assert.equal(message.element.inner, '<body>a</body>')
  assert.equal(parser.pending, 0)
})

test('elements in one read and in many come as the same, in order', () => {
  const stanzas = Array.from(
    { length: 200 },
    (_, i) => `<message id='${i}'><body>${'é'.repeat(i)}</body></message>`,
  )
  const bytes = Buffer.from(STREAM + stanzas.join(''))
  for (const size of [7, 100, 1000, bytes.length]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    )
    const ids = parse(...chunks).map((event) =>
      event.what === 'element' ? event.element.attrs['id'] : event.what,
    )
    assert.deepEqual(ids, ['header', ...stanzas.keys()].map(String))
  }
})
