/** Containers: elements whose children come one by one, so that a file need not fit into memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits, Parser, XmlFault, type Descend } from '../../../src/xml/parser.js'

const descend: Descend = ({ local }) => ['root', 'host', 'user'].includes(local)

/** What comes out when the text is cut into pieces of so many bytes; elements as they would be written anew. */
function read(text: string, piece = text.length, limits = defaultLimits): string[] {
  const parser = new Parser(limits, 'document', descend)
  const bytes = Buffer.from(text)
  const events: string[] = []
  for (let at = 0; at < bytes.length; at += piece) {
    parser.push(bytes.subarray(at, at + piece))
    for (let parsed = parser.next(); parsed; parsed = parser.next()) {
      if (parsed.what === 'open') events.push(`<${parsed.header.local} ${parsed.header.ns}>`)
      else if (parsed.what === 'close') events.push('>')
      else if (parsed.what === 'element') events.push(parsed.element.toElement().toString())
      else if (parsed.what === 'oversize') events.push(`over ${parsed.limit}`)
    }
  }
  return events
}

const file = `<?xml version='1.0' encoding='UTF-8'?>
<root xmlns='urn:a' xmlns:b='urn:b'>
  <host name='é'>
    <user><x>1</x><b:y xmlns:c='urn:c'><c:z/></b:y></user>
    <user xmlns='urn:d'/>
    <b:user><x/></b:user>
  </host >
  <other><user/></other>
</root>
`
const events = [
  '<root urn:a>',
  '<host urn:a>',
  '<user urn:a>',
  '<x xmlns="urn:a">1</x>',
  '<y xmlns="urn:b"><c:z xmlns="urn:a" xmlns:c="urn:c"/></y>',
  '>',
  '<user xmlns="urn:d"/>',
  '<user urn:b>',
  '<x xmlns="urn:a"/>',
  '>',
  '>',
  '<other xmlns="urn:a"><user/></other>',
  '>',
]

test('children of containers come one by one, wherever the bytes are cut', () => {
  assert.deepEqual(read(file), events)
  for (const piece of [1, 2, 3, 7, 50]) assert.deepEqual(read(file, piece), events, `pieces of ${piece}`)
})

test('a container is not held: what is in it may be larger than the limit, an element of it may not', () => {
  const limits = { ...defaultLimits, bytes: 100 }
  const many = `<root>${'<x>0123456789</x>'.repeat(1000)}</root>`
  assert.equal(read(many, 64, limits).length, 1002)
  assert.deepEqual(read(`<root><x>${'y'.repeat(120)}</x><z/></root>`, 64, limits), [
    '<root >',
    'over bytes',
    '<z/>',
    '>',
  ])
})

for (const [what, text] of [
  ['an end tag of another container', '<root><user></root></user>'],
  ['text in a container', '<root>words</root>'],
  ['a second root', '<root></root><root/>'],
  ['a prefix of a container that has ended', `<root><user xmlns:p='urn:p'></user><p:x/></root>`],
  ['a container twice', `<root a='1' a='2'><x/></root>`],
] as const)
  test(`${what} is refused`, () => {
    for (const piece of [1, text.length]) assert.throws(() => read(text, piece), XmlFault)
  })

test('what was not read when the fault was found is counted', () => {
  const parser = new Parser(defaultLimits, 'document', descend)
  parser.push(Buffer.from('<root><x/>\n<1/>\n<y/></root>'))
  assert.throws(() => {
    while (parser.next());
  }, XmlFault)
  assert.equal(parser.unread, '/>\n<y/></root>'.length)
})
