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
