import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits, Parser, type RawElement } from '../../../src/xml/parser.js'
import { STREAM } from './reading.js'

function raw(stanza: string): RawElement {
  const parser = new Parser(defaultLimits)
  parser.push(Buffer.from(STREAM + stanza))
  parser.next()
  const event = parser.next()
  assert.ok(event?.what === 'element')
  return event.element
}

test('content that stands on its own is handed out as it came', () => {
  for (const inner of [
    `<body>a > b &lt; 'c' "d"</body>`,
    ` text <a b='\t' c="'"/>\n<p:a xmlns:p='urn:p' p:b='c'/> `,
    `<a xmlns='urn:a'><b xmlns='urn:b'/></a><a xml:lang='de'>Grüße 💜</a>`,
  ])
    assert.equal(raw(`<message to='x'>${inner}</message>`).inner, inner)
})

test('content that does not is written anew', () => {
  assert.equal(raw(`<message><![CDATA[<]]></message>`).inner, '&lt;')
  assert.equal(raw(`<message>&#65;\r\n</message>`).inner, 'A\n')
  assert.equal(raw(`<message><a b='&#65;\r'/></message>`).inner, '<a b="A "/>')
  assert.equal(raw(`<message xmlns:p='urn:p'><p:a/></message>`).inner, '<p:a xmlns:p="urn:p"/>')
  assert.equal(
    raw(`<message><stream:a/></message>`).inner,
    '<stream:a xmlns:stream="http://etherx.jabber.org/streams"/>',
  )
  assert.equal(raw(`<message><a><b stream:c='d'/></a></message>`).inner, '<a xmlns:stream="http://etherx.jabber.org/streams"><b stream:c="d"/></a>') // prettier-ignore
  assert.equal(raw(`<p:message xmlns:p='urn:p'><a/></p:message>`).inner, '<a xmlns="jabber:client"/>')
  assert.equal(
    raw(`<p:message xmlns:p='urn:p'><a><b/></a></p:message>`).inner,
    '<a xmlns="jabber:client"><b/></a>',
  )
  assert.equal(raw(`<message><a ü='1'/></message>`).inner, '<a ü="1"/>')
})

test('offsets of children count characters, whatever their bytes', () => {
  for (const stanza of [
    `<message>ü<a>💜</a>€<b xmlns='urn:b'/><c/></message>`,
    `<message>&#252;<a>&#x1F49C;</a>€<b xmlns='urn:b'/><c/></message>`,
    `<message>plain<a>text</a><b xmlns='urn:b'/><c/></message>`,
  ]) {
    const { inner, children } = raw(stanza)
    assert.deepEqual(
      children.map(({ name, ns }) => `${name} ${ns}`),
      ['a jabber:client', 'b urn:b', 'c jabber:client'],
    )
    for (const { name, start, end } of children) {
      const text = inner.slice(start, end)
      assert.ok(text.startsWith(`<${name}`) && text.endsWith('>'), text)
    }
  }
})

test('a child is found by name and namespace and built alone', () => {
  const message = raw(
    `<message>x<body>1</body><p:body xmlns:p='urn:p'><p:y/></p:body><body xmlns='urn:b'><z/></body></message>`,
  )
  assert.ok(
    message.has('body') && message.has('body', 'urn:b') && !message.has('body', 'urn:c') && !message.has('y'),
  )
  assert.equal(message.child('body')?.text, '1')
  assert.equal(message.child('body')?.parent, null)
  assert.equal(message.child('body')?.ns, 'jabber:client')
  assert.equal(message.child('body', 'urn:p')?.child('y', 'urn:p')?.name, 'p:y')
  assert.equal(message.child('body', 'urn:b')?.child('z', 'urn:b')?.name, 'z')
  assert.equal(message.child('subject'), undefined)
  assert.equal(message.toElement(), message.toElement())
  assert.equal(message.child('body'), message.toElement().child('body'))
})

test('bytes are those on the wire', () => {
  assert.equal(raw(`<message>ü</message>`).bytes, 21)
  assert.equal(raw(` \n<message/>`.trim()).bytes, 10)
})

test('a start tag can be written anew from its attributes', () => {
  const message = raw(`<message xmlns:p='urn:p' xmlns:unused='urn:u' p:a='1' stream:b='2' id='3'/>`)
  assert.deepEqual(
    { ...message.attrs },
    {
      'xmlns:p': 'urn:p',
      'p:a': '1',
      'xmlns:stream': 'http://etherx.jabber.org/streams',
      'stream:b': '2',
      id: '3',
    },
  )
})
