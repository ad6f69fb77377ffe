import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits, Parser, parseElement, XmlFault, type ParserLimits } from '../../../src/xml/parser.js'
import { cuts, read, STREAM } from './reading.js'

const limits: ParserLimits = { bytes: 400, depth: 4, elements: 6, attributes: 5, namespaces: 3 }

const outcome = (text: string) => read([Buffer.from(STREAM + text)], 'stream', limits)

function check(text: string, expected: string): void {
  const bytes = Buffer.from(STREAM + text)
  const whole = read([bytes], 'stream', limits)
  assert.equal(whole.fault ?? whole.events[1]?.split(' ').slice(0, 2).join(' '), expected)
  if (whole.fault) return assert.equal(whole.events.length, 1)
  for (const chunks of cuts(bytes)) assert.deepEqual(read(chunks, 'stream', limits), whole)
}

const nested = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth)
const wide = (elements: number) => `<a>${'<b/>'.repeat(elements - 1)}</a>`
const attributes = (count: number) => Array.from({ length: count }, (_, i) => ` a${i}='b'`).join('')
const long = (bytes: number) => `<a b='c'>${'x'.repeat(bytes - 13)}</a>`
// The header of the test stream declares one prefix.
const prefixes = (count: number) => Array.from({ length: count - 1 }, (_, i) => ` xmlns:p${i}='u'`).join('')

test('at a limit an element passes', () => {
  check(long(400), 'element <a')
  check(nested(4), 'element <a')
  check(wide(6), 'element <a')
  check(`<a${attributes(5)}/>`, 'element <a')
  check(`<a><b${attributes(5)}/></a>`, 'element <a')
  check(`<a${prefixes(3)}/>`, 'element <a')
  check(`<a${prefixes(2)}><b xmlns:q='u'/><c xmlns:q='u'/></a>`, 'element <a')
})

test('above a limit, its end tag in bounds, an element is named so that it can be refused', () => {
  check(long(401), 'oversize bytes')
  check(long(800), 'oversize bytes')
  check(nested(5), 'oversize depth')
  check(nested(100), 'oversize depth')
  check(wide(7), 'oversize elements')
  check(wide(180), 'oversize elements')
  check(`<a${attributes(6)}/>`, 'oversize attributes')
  check(`<a><b${attributes(60)}></b></a>`, 'oversize attributes')
  check(`<a${prefixes(4)}/>`, 'oversize namespaces')
  check(`<a><b${prefixes(3)}><c xmlns:q='u'/></b></a>`, 'oversize namespaces')
  check(`<a b='${'x'.repeat(500)}'></a>`, 'oversize bytes')
})

test('an oversize element tells its start tag and nothing of its content', () => {
  const parser = new Parser(limits)
  parser.push(Buffer.from(`${STREAM}<iq type='get' id='7' to='x'>${'<q/>'.repeat(20)}</iq><iq/>`))
  assert.equal(parser.next()?.what, 'header')
  const event = parser.next()
  assert.ok(event?.what === 'oversize')
  assert.deepEqual({ ...event.element.attrs }, { type: 'get', id: '7', to: 'x' })
  assert.deepEqual([event.element.name, event.element.ns], ['iq', 'jabber:client'])
  assert.deepEqual([event.element.inner, event.element.children.length], ['', 0])
  assert.equal(event.limit, 'elements')
  assert.equal(parser.next()?.what, 'element', 'the stream goes on')
})

test('what would be too large once it stands on its own is too large', () => {
  const namespace = 'x'.repeat(200)
  // Each child needs the declaration that the stanza made once.
  check(`<a xmlns:p='${namespace}'>${'<p:b/>'.repeat(3)}</a>`, 'element <a')
  check(`<a xmlns:p='${namespace}'>${'<p:b/>'.repeat(4)}</a>`, 'oversize bytes')
  check(`<p:a xmlns:p='urn:p' xmlns='${namespace}'>${'<b/>'.repeat(5)}</p:a>`, 'oversize bytes')
  const large = `<a xmlns:p='${'x'.repeat(100_000)}'>${'<p:b/>'.repeat(9_000)}</a>`
  const parser = new Parser(defaultLimits, 'document')
  parser.push(Buffer.from(large))
  assert.equal(parser.next()?.what, 'oversize')
})

test('above twice the bytes the stream is at its end', () => {
  check(long(801), 'policy-violation')
  check(long(80_000), 'policy-violation')
  check(nested(2_000), 'policy-violation')
  check(wide(10_000), 'policy-violation')
  check(`<a${attributes(10_000)}/>`, 'policy-violation')
  check(`<a${prefixes(10_000)}/>`, 'policy-violation')
  // Unfinished things of every kind: no end tag is needed to see it.
  for (const start of ['<', '<a ', '<a b', "<a b='", '<a>', '<a>&', '<a><![CDATA[', '<a></a '])
    check(start + (start.endsWith('a ') ? ' ' : 'x').repeat(900), 'policy-violation')
})

test('what is over a limit must still be well-formed', () => {
  assert.equal(outcome(`${'<a>'.repeat(9)}</b>`).fault, 'not-well-formed')
  assert.equal(outcome(`${'<a>'.repeat(9)}&`).fault, undefined)
  assert.equal(outcome(`${'<a>'.repeat(9)}& `).fault, 'not-well-formed')
  assert.equal(outcome(`${nested(9).slice(0, -4)}<!-- --></a>`).fault, 'restricted-xml')
  assert.equal(read([Buffer.concat([Buffer.from(`${STREAM}<a>${'<b/>'.repeat(9)}`), Buffer.from([0xff]), Buffer.from('</a>')])], 'stream', limits).fault, 'not-well-formed') // prettier-ignore
})

const header = (text: string) =>
  read([Buffer.from(`<stream:stream xmlns:stream='u'${text}>`)], 'stream', limits)

test('limits of the header end the stream', () => {
  assert.equal(header(attributes(4)).events.length, 1)
  assert.equal(header(attributes(5)).fault, 'policy-violation')
  assert.equal(header(prefixes(3)).events.length, 1)
  assert.equal(header(prefixes(4)).fault, 'policy-violation')
  assert.equal(header(` a='${'x'.repeat(360)}'`).events.length, 1)
  assert.equal(header(` a='${'x'.repeat(370)}'`).fault, 'policy-violation')
})

test('limits can change between elements', () => {
  const parser = new Parser(limits)
  parser.push(Buffer.from(STREAM + long(500)))
  parser.next()
  assert.equal(parser.next()?.what, 'oversize')
  parser.limits = { ...limits, bytes: 1000 }
  parser.push(Buffer.from(long(500)))
  assert.equal(parser.next()?.what, 'element')
})

test('white space between elements is under no limit and held nowhere', () => {
  const parser = new Parser(limits)
  parser.push(Buffer.from(STREAM))
  parser.next()
  for (let i = 0; i < 100; i++) {
    parser.push(Buffer.from(' '.repeat(1000)))
    assert.equal(parser.next()?.what, 'whitespace')
    assert.equal(parser.next(), undefined)
    assert.equal(parser.pending, 0)
  }
})

test('a faulty parser is dead and holds nothing', () => {
  const parser = new Parser(limits)
  parser.push(Buffer.from(`${STREAM}<a></b>`))
  parser.next()
  let fault: unknown
  assert.throws(
    () => parser.next(),
    (error) => (fault = error) instanceof XmlFault,
  )
  parser.push(Buffer.from('<a/>'))
  assert.equal(parser.pending, 0)
  assert.throws(
    () => parser.next(),
    (error) => error === fault,
  )
})

test('a chunk is not referred to once next() has nothing more', () => {
  const chunk = Buffer.from(`${STREAM}<message><body>held`)
  const parser = new Parser(limits)
  parser.push(chunk)
  while (parser.next());
  chunk.fill(0)
  parser.push(Buffer.from('</body></message>'))
  const event = parser.next()
  assert.ok(event?.what === 'element')
  assert.equal(event.element.inner, '<body>held</body>')
})

test('the time for a stanza that comes byte by byte grows with its length, not with its square', () => {
  const bytes = Buffer.from(
    `<a b='${'x'.repeat(60_000)}'>${'y'.repeat(60_000)}<c/>${'&amp;'.repeat(6_000)}</a>`,
  )
  const parser = new Parser({ ...limits, bytes: 1_000_000 }, 'document')
  const start = process.cpuUsage()
  for (let at = 0; at < bytes.length; at++) {
    parser.push(bytes.subarray(at, at + 1))
    if (at < bytes.length - 1) assert.equal(parser.next(), undefined)
  }
  assert.equal(parser.next()?.what, 'element')
  // 150,000 reads: a scan from the start each time would be 10^10 bytes, some ten seconds.
  assert.ok(process.cpuUsage(start).user < 2_000_000)
})

test('parseElement keeps to the limits given', () => {
  assert.equal(parseElement(nested(1000)).name, 'a')
  assert.throws(() => parseElement(nested(1001)), { name: 'XmlFault', condition: 'policy-violation' })
  assert.throws(() => parseElement(nested(5), { depth: 4 }), { condition: 'policy-violation' })
  assert.throws(() => parseElement(long(50), { bytes: 49 }), { condition: 'policy-violation' })
  assert.throws(() => parseElement(long(500), { bytes: 49 }), { condition: 'policy-violation' })
})

test('parseElement wants one element and nothing else', () => {
  assert.equal(parseElement(' <a/> \n').name, 'a')
  assert.equal(parseElement(`<?xml version='1.0'?>\n<a/>`).name, 'a')
  for (const text of [
    '',
    ' ',
    '<a>',
    '<a',
    'a',
    '<a/>b',
    '<a/><b/>',
    '<a/><',
    '</a>',
    '<a/><?b?>',
    '<!--a--><b/>',
  ])
    assert.throws(() => parseElement(text), XmlFault, text)
})
