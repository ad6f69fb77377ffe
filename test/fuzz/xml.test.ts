/**
 * Fuzz and property tests of the parser and the writer.
 * FUZZ_SEED chooses other inputs, FUZZ_RUNS how many: `FUZZ_SEED=7 FUZZ_RUNS=1000000 node dist/test/run.js fuzz/xml`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type LtxElement from 'ltx/lib/Element.js'
import { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'
import { Parser, parseElement, XmlFault, type ParserLimits, type RawElement } from '../../src/xml/parser.js'
import { serialise } from '../../src/xml/write.js'
import { Dice, hasSpacedNamespace, oracle, spoiltStream, type Shape } from './xml.js'

const seed = Number(process.env['FUZZ_SEED'] ?? 1)
const runs = Number(process.env['FUZZ_RUNS'] ?? 5000)
const limits: ParserLimits = { bytes: 4096, depth: 64, elements: 200, attributes: 30, namespaces: 10 }

test('saxes and we accept the same streams and see the same elements in them', () => {
  const dice = new Dice(seed)
  let accepted = 0
  for (let run = 0; run < runs; run++) {
    const bytes = spoiltStream(dice)
    if (hasSpacedNamespace(bytes)) continue
    const expected = oracle(bytes)
    const actual = outcome([bytes]).shapes
    assert.deepEqual(
      actual,
      expected,
      `seed ${seed}, run ${run}: ${JSON.stringify(bytes.toString('latin1'))}`,
    )
    if (expected) accepted++
  }
  assert.ok(
    accepted > runs / 10 && accepted < runs * 0.9,
    `${accepted} of ${runs} accepted: the fuzz is lopsided`,
  )
})

test('any cuts of the same bytes give the same events and the same fault', () => {
  const dice = new Dice(seed + 1)
  for (let run = 0; run < runs / 2; run++) {
    const bytes = spoiltStream(dice)
    const chunks: Buffer[] = []
    for (let at = 0; at < bytes.length;) {
      const to = at + 1 + dice.roll(40)
      chunks.push(bytes.subarray(at, to))
      at = to
    }
    assert.deepEqual(
      outcome(chunks),
      outcome([bytes]),
      `seed ${seed + 1}, run ${run}: ${JSON.stringify(bytes.toString('latin1'))}`,
    )
  }
})

test('what is handed out stands on its own: its text, its children and its tree agree', () => {
  const dice = new Dice(seed + 2)
  for (let run = 0; run < runs / 2; run++) {
    const bytes = spoiltStream(dice)
    for (const raw of outcome([bytes]).elements) {
      const tree = raw.toElement()
      const written = parseElement(`<x xmlns="${escape(raw.ns)}">${raw.inner}</x>`)
      assert.deepEqual(shapeOf(written)[2], shapeOf(tree)[2])
      const spans = raw.children.map(({ name, ns, start, end }) => {
        const [child] = parseElement(
          `<x xmlns="${escape(raw.ns)}">${raw.inner.slice(start, end)}</x>`,
        ).childrenOf()
        assert.deepEqual([child!.local, child!.ns], [name, ns])
        return shapeOf(child!)
      })
      assert.deepEqual(spans, tree.childrenOf().map(shapeOf))
      assert.equal(parseElement(tree.toString()).toString(), tree.toString())
    }
  }
})

test('random bytes cause nothing but an XmlFault, and no more is held than twice the limit', () => {
  const dice = new Dice(seed + 3)
  const alphabet = [...Buffer.from(`<>/&;'" =ab:!?[]-x#1\n`), 0, 0x80, 0xc3, 0xa9, 0xff]
  for (let run = 0; run < runs / 4; run++) {
    const parser = new Parser(
      { bytes: 100, depth: 3, elements: 5, attributes: 3, namespaces: 2 },
      dice.pick(['stream', 'document']),
    )
    try {
      if (parser.limits && dice.roll(2)) parser.push(Buffer.from('<a>'))
      for (let reads = 0; reads < 20; reads++) {
        parser.push(Buffer.from(Array.from({ length: dice.roll(60) }, () => dice.pick(alphabet))))
        while (parser.next());
        assert.ok(parser.pending <= 200)
      }
    } catch (error) {
      assert.ok(error instanceof XmlFault, String(error))
      assert.equal(parser.pending, 0)
    }
  }
})

const name = fc.oneof(
  fc.constantFrom('a', 'body', 'x', '__proto__', 'constructor', 'ü', 'a-b.c_1'),
  fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,8}$/),
)
const character = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', ' ', '<', '&', '>', '"', "'", ']', '\n', '\t', '\r', ';') },
  fc
    .integer({ min: 0x20, max: 0x10ffff })
    .filter((code) => code < 0xd800 || (code > 0xdfff && code < 0xfffe) || code > 0xffff)
    .map((code) => String.fromCodePoint(code)),
)
const text = fc.array(character, { minLength: 1, maxLength: 20 }).map((characters) => characters.join(''))
const namespace = fc.constantFrom('', 'jabber:client', 'urn:a', "urn:'b'&<c>")
const prefix = fc.constantFrom('p', 'q')
const tree = fc.letrec<{ element: LtxElement }>((tie) => ({
  element: fc
    .record({
      name,
      prefix: fc.option(prefix),
      ns: fc.option(namespace),
      attributes: fc.dictionary(
        name.filter((name) => !name.startsWith('xml')),
        text,
        { maxKeys: 4 },
      ),
      lang: fc.option(text),
      prefixed: fc.option(text),
      children: fc.array(fc.oneof({ depthSize: 'small' }, text, tie('element')), { maxLength: 4 }),
    })
    .map((parts) => {
      const element = new Element(parts.prefix === null ? parts.name : `${parts.prefix}:${parts.name}`)
      if (parts.ns !== null) element.attrs['xmlns'] = parts.ns
      if (parts.prefix !== null) element.attrs[`xmlns:${parts.prefix}`] = 'urn:p'
      for (const [key, value] of Object.entries(parts.attributes)) element.attrs[key] = value
      if (parts.lang !== null) element.attrs['xml:lang'] = parts.lang
      if (parts.prefixed !== null && parts.prefix !== null)
        element.attrs[`${parts.prefix}:z`] = parts.prefixed
      for (const child of parts.children) element.cnode(child)
      return element
    }),
})).element

test('to parse what was written gives the tree again', () => {
  fc.assert(
    fc.property(tree, namespace, (element, inherited) => {
      const holder = new Element('holder', { xmlns: inherited })
      holder.cnode(element)
      const read = parseElement(`<x xmlns="${escape(inherited)}">${serialise(element, inherited)}</x>`)
      assert.deepEqual(shapeOf(read.children[0] as LtxElement), shapeOf(element))
    }),
    { seed, numRuns: runs / 10 },
  )
})

test('no tree makes the writer write what cannot be read', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (value, text) => {
      const element = new Element('a', { b: value })
      element.t(text + '\ud800\uffff\0')
      const read = parseElement(element.toString())
      assert.equal(read.text.length, text.length + 3)
    }),
    { seed, numRuns: runs / 10 },
  )
})

const escape = (value: string) =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

function outcome(chunks: readonly Buffer[]) {
  const parser = new Parser(limits)
  const elements: RawElement[] = []
  let ended = false
  let fault: string | undefined
  try {
    for (const chunk of chunks) {
      parser.push(chunk)
      for (let event = parser.next(); event; event = parser.next()) {
        if (event.what === 'element') elements.push(event.element)
        assert.notEqual(event.what, 'oversize')
        ended = event.what === 'end'
      }
    }
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error
    fault = error.condition
  }
  return {
    elements,
    fault,
    shapes: ended && !fault ? elements.map((raw) => shapeOf(raw.toElement())) : undefined,
  }
}

function shapeOf(element: LtxElement): Shape {
  const attributes = Object.entries(element.attrs)
    .filter(([name]) => name !== 'xmlns' && !name.startsWith('xmlns:'))
    .map(([name, value]) => {
      const colon = name.indexOf(':')
      const ns = colon < 0 ? '' : name.startsWith('xml:') ? NS.xml : element.findNS(name.slice(0, colon))
      return `{${ns}}${name.slice(colon + 1)}=${value}`
    })
  const children: (Shape | string)[] = []
  for (const child of element.children) {
    if (typeof child === 'object') children.push(shapeOf(child))
    else if (typeof children.at(-1) === 'string')
      children[children.length - 1] = `${children.at(-1) as string}${child}`
    else children.push(child)
  }
  return [`{${element.getNS() ?? ''}}${element.getName()}`, attributes.sort(), children]
}
