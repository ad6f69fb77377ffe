import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Jid, JidError, prepareDomain, prepareLocal, prepareResource } from '../../../src/stanza/jid.js'
import { opaqueString, usernameCaseMapped } from '../../../src/stanza/precis.js'

/** What is read, and its canonical form. */
const legal: [string, string][] = [
  // RFC 7622 §3.5, table 1.
  ['juliet@example.com', 'juliet@example.com'],
  ['juliet@example.com/foo', 'juliet@example.com/foo'],
  ['juliet@example.com/foo bar', 'juliet@example.com/foo bar'],
  ['juliet@example.com/foo@bar', 'juliet@example.com/foo@bar'],
  ['foo\\20bar@example.com', 'foo\\20bar@example.com'],
  ['fussball@example.com', 'fussball@example.com'],
  ['fu\u00dfball@example.com', 'fu\u00dfball@example.com'],
  ['\u03c0@example.com', '\u03c0@example.com'],
  ['\u03a3@example.com/foo', '\u03c3@example.com/foo'],
  ['\u03c3@example.com/foo', '\u03c3@example.com/foo'],
  ['\u03c2@example.com/foo', '\u03c2@example.com/foo'],
  ['king@example.com/\u265a', 'king@example.com/\u265a'],
  ['example.com', 'example.com'],
  ['example.com/foobar', 'example.com/foobar'],
  ['a.example.com/b@example.net', 'a.example.com/b@example.net'],
  // Localparts.
  ['JULIET@example.com', 'juliet@example.com'],
  ['\u0391\u03a3@example.com', '\u03b1\u03c3@example.com'], // a sigma that ends the word is an ordinary one
  ['\u1e9e@example.com', '\u00df@example.com'],
  ['\u0130@example.com', 'i\u0307@example.com'],
  ['e\u0301@example.com', '\u00e9@example.com'],
  ['\uff2a\uff55\uff4c@example.com', 'jul@example.com'], // fullwidth
  ['\uff76\uff9e@example.com', '\u30ac@example.com'], // halfwidth katakana, composed
  ['\u05d0\u05d1\u05d2@example.com', '\u05d0\u05d1\u05d2@example.com'],
  ['\u05d0\u05d11@example.com', '\u05d0\u05d11@example.com'],
  ['\u0645\u0661@example.com', '\u0645\u0661@example.com'],
  ['l\u00b7l@example.com', 'l\u00b7l@example.com'],
  ['L\u00b7L@example.com', 'l\u00b7l@example.com'],
  ['\u0375\u03b1@example.com', '\u0375\u03b1@example.com'],
  ['\u05d0\u05f3@example.com', '\u05d0\u05f3@example.com'],
  ['\u30a2\u30fb\u30a2@example.com', '\u30a2\u30fb\u30a2@example.com'],
  ['\u0915\u094d\u200d\u0937@example.com', '\u0915\u094d\u200d\u0937@example.com'], // joiner after a virama
  [
    '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645@example.com',
    '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645@example.com',
  ],
  // Resourceparts.
  ['example.com/ABC', 'example.com/ABC'],
  ['example.com/a\u00a0b\u3000c', 'example.com/a b c'],
  ['example.com/\uff21', 'example.com/\uff21'],
  ['example.com/\u2163', 'example.com/\u2163'],
  ['example.com/e\u0301', 'example.com/\u00e9'],
  ['example.com/a/b/', 'example.com/a/b/'],
  ['example.com/\u{1f600}', 'example.com/\u{1f600}'],
  ['example.com/trailing ', 'example.com/trailing '],
  // Domainparts.
  ['example.com.', 'example.com'],
  ['a@EXAMPLE.Com./R', 'a@example.com/R'],
  ['xn--bcher-kva.example', 'b\u00fccher.example'],
  ['XN--BCHER-KVA.example', 'b\u00fccher.example'],
  ['B\u00dcCHER.example', 'b\u00fccher.example'],
  ['bu\u0308cher\u3002example', 'b\u00fccher.example'],
  ['fa\u00df.example', 'fa\u00df.example'],
  ['xn--fa-hia.example', 'fa\u00df.example'],
  ['\uff45xample.com', 'example.com'],
  ['\u05d0\u05d1.\u05d2\u05d3', '\u05d0\u05d1.\u05d2\u05d3'],
  ['\uab70\u13f8.example', '\u13a0\u13f0.example'], // Cherokee folds to its capitals
  ['1.2.3', '1.2.3'],
  ['192.0.2.1', '192.0.2.1'],
  ['a@[2001:DB8:0:0::1]/r', 'a@[2001:db8::1]/r'],
  ['[::1]', '[::1]'],
  ['localhost', 'localhost'],
  ['a--b.example', 'a--b.example'],
  [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  [
    `${'a'.repeat(1023)}@example.com/${'b'.repeat(1023)}`,
    `${'a'.repeat(1023)}@example.com/${'b'.repeat(1023)}`,
  ],
]

for (const [text, canonical] of legal)
  test(`RFC 7622: ${JSON.stringify(text.slice(0, 60))} is an address`, () => {
    assert.equal(Jid.parse(text).toString(), canonical)
    assert.equal(Jid.parse(canonical).toString(), canonical)
  })

const illegal: [string, RegExp][] = [
  // RFC 7622 §3.5, table 2.
  ['"juliet"@example.com', /localpart holds one of the characters/],
  ['foo bar@example.com', /localpart/],
  ['juliet@example.com/ foo', /resourcepart begins with a space/],
  ['@example.com/', /localpart is empty/],
  ['henry\u2163@example.com', /localpart/],
  ['\u265a@example.com', /localpart/],
  ['juliet@', /domainpart/],
  ['/foobar', /domainpart/],
  // Shape.
  ['', /domainpart is empty/],
  ['@', /localpart is empty/],
  ['a@example.com/', /resourcepart is empty/],
  ['a@b@example.com', /domainpart/],
  // Localparts.
  ...'&\':<>"'.split('').map((sign): [string, RegExp] => [`a${sign}b@example.com`, /localpart holds one of/]),
  ['a\uff20b@example.com', /localpart holds one of/], // a fullwidth @ becomes one
  ['a\u0000b@example.com', /localpart/],
  ['a\u007fb@example.com', /localpart/],
  ['a\u00adb@example.com', /localpart/], // soft hyphen: ignorable
  ['a\u200bb@example.com', /localpart/],
  ['\u212bngstr\u00f6m@example.com', /localpart/], // a compatibility form by itself
  ['\u1100\u1161@example.com', /localpart/], // old Hangul jamo
  ['a\u0378@example.com', /localpart/], // unassigned
  ['a\ue000@example.com', /localpart/], // private use
  ['a\ud800@example.com', /localpart/], // half a surrogate pair
  ['a\u0640@example.com', /localpart/],
  ['a\u200db@example.com', /joiner/],
  ['a\u200cb@example.com', /joiner/],
  ['a\u00b7b@example.com', /joiner or sign/],
  ['\u00b7l@example.com', /joiner or sign/],
  ['\u0375a@example.com', /joiner or sign/],
  ['a\u05f4@example.com', /joiner or sign/],
  ['a\u30fbb@example.com', /katakana middle dot/],
  ['\u0645\u0661\u06f1@example.com', /Arabic digits/],
  ['\u05d0a@example.com', /Bidi rule/],
  ['a\u05d0@example.com', /Bidi rule/],
  ['1\u05d0@example.com', /Bidi rule/],
  ['\u05d0-@example.com', /Bidi rule/],
  ['\u0661@example.com', /Bidi rule/],
  ['\u06451\u0661@example.com', /Bidi rule/],
  [`${'a'.repeat(1024)}@example.com`, /localpart is longer than 1023 bytes/],
  [`${'\u00e9'.repeat(512)}@example.com`, /localpart is longer than 1023 bytes/],
  // Resourceparts.
  ['example.com/\u0007', /resourcepart/],
  ['example.com/a\nb', /resourcepart/],
  ['example.com/\u00a0a', /resourcepart begins with a space/],
  ['example.com/\u200f', /resourcepart/],
  ['example.com/\u{e0001}', /resourcepart/],
  [`example.com/${'b'.repeat(1024)}`, /resourcepart is longer than 1023 bytes/],
  [`example.com/${'b'.repeat(100_000)}`, /resourcepart is longer than 1023 bytes/],
  // Domainparts.
  ['.', /domainpart/],
  ['example..com', /empty label/],
  ['.example.com', /empty label/],
  ['example.com..', /empty label/],
  ['-a.example', /no host name/],
  ['a-.example', /no host name/],
  ['a_b.example', /no host name/],
  ['exa mple.com', /no host name/],
  ['example.com:5222', /no host name/],
  ['%65xample.com', /no host name/],
  [`${'a'.repeat(64)}.example`, /no host name/],
  [`${'a.'.repeat(127)}example`, /longer than 253/],
  ['\u265a.example', /host names cannot have/],
  ['\u{1f600}.example', /host names cannot have/],
  ['\u2163.example', /host names cannot have/],
  ['a\u2044b.example', /host names cannot have/],
  ['\u0301a.example', /no host name/],
  ['\u00fc-.example', /no host name/],
  ['ab--\u00fc.example', /no host name/],
  ['xn--.example', /domainpart/],
  ['xn--a.example', /only looks like/],
  ['xn--example-.example', /no host name/],
  ['xn--i-7iq.example', /host names cannot have/], // I love in symbols
  ['\u05d0a.example', /domainpart/],
  ['\u05d0.1a', /Bidi rule/],
  ['[::1', /IPv6/],
  ['[::g]', /IPv6/],
  ['[fe80::1%eth0]', /IPv6/],
  ['[192.0.2.1]', /IPv6/],
]

for (const [text, sentence] of illegal)
  test(`RFC 7622: ${JSON.stringify(text.slice(0, 60))} is no address`, () => {
    assert.throws(
      () => Jid.parse(text),
      (error) => error instanceof JidError && sentence.test(error.message) && error.message.endsWith('.'),
    )
  })

test('parts of an address', () => {
  const full = Jid.parse('Juliet@Example.com/Balcony')
  assert.deepEqual([full.local, full.domain, full.resource], ['juliet', 'example.com', 'Balcony'])
  assert.equal(full.isBare, false)
  assert.equal(full.bare.toString(), 'juliet@example.com')
  assert.equal(full.bare, full.bare)
  assert.equal(full.bare.bare, full.bare)
  assert.ok(full.bare.isBare)
  assert.equal(full.withResource('a/b').toString(), 'juliet@example.com/a/b')
  assert.equal(full.bare.withResource('Balcony').equals(full), true)
  assert.equal(full.equals(full.bare), false)
  const host = Jid.parse('example.com')
  assert.deepEqual([host.local, host.resource, host.bare], ['', '', host])
  assert.equal(Jid.parse('example.com/r').bare.equals(host), true)
  assert.equal(JSON.stringify({ full }), '{"full":"juliet@example.com/Balcony"}')
})

test('an address put together is prepared like one that is read', () => {
  assert.equal(Jid.of('Juliet', 'EXAMPLE.com', 'x').equals(Jid.parse('juliet@example.com/x')), true)
  assert.equal(Jid.of('', 'example.com').toString(), 'example.com')
  // No part can smuggle a separator in.
  assert.throws(() => Jid.of('a@b', 'example.com'), JidError)
  assert.throws(() => Jid.of('a/b', 'example.com'), JidError)
  assert.throws(() => Jid.of('a', 'example.com/r'), JidError)
  assert.throws(() => Jid.of('a', 'b@example.com'), JidError)
  assert.throws(() => Jid.parse('a@example.com').withResource(''), JidError)
})

test('equal wire texts give the same object, as long as they are remembered', () => {
  assert.equal(Jid.parse('a@remembered.example/r'), Jid.parse('a@remembered.example/r'))
  const first = Jid.parse('first@remembered.example')
  for (let i = 0; i < 10_000; i++) Jid.parse(`u${i}@remembered.example`)
  assert.notEqual(Jid.parse('first@remembered.example'), first)
  assert.ok(Jid.parse('first@remembered.example').equals(first))
})

/** Texts that are near what is interesting: ASCII, the scripts with rules, composition, width, invisible ones. */
const character = fc.oneof(
  fc.integer({ min: 0x20, max: 0x7e }),
  fc.constantFrom(
    0x40,
    0x2f,
    0x2e,
    0x3002,
    0x5b,
    0x5d,
    0x2d,
    0xb7,
    0x375,
    0x5f3,
    0x30fb,
    0x200c,
    0x200d,
    0x94d,
    0xdf,
    0x3a3,
    0x130,
  ),
  fc.integer({ min: 0xa0, max: 0x6ff }),
  fc.integer({ min: 0x1e00, max: 0x1fff }),
  fc.integer({ min: 0xff00, max: 0xffef }),
  fc.integer({ min: 0x10800, max: 0x10fff }),
  fc.integer({ min: 0, max: 0x10ffff }),
)
const text = fc.array(character, { maxLength: 12 }).map((points) => String.fromCodePoint(...points))
const runs = { numRuns: 3000 }

function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    assert.ok(error instanceof JidError, `threw ${String(error)}`)
    return undefined
  }
}

for (const [name, prepare] of Object.entries({ prepareLocal, prepareDomain, prepareResource }))
  test(`${name} is idempotent and throws nothing but JidError`, () => {
    fc.assert(
      fc.property(text, (given) => {
        const once = attempt(() => prepare(given))
        if (once !== undefined) assert.equal(prepare(once), once)
      }),
      runs,
    )
  })

test('reading what was written gives the same address', () => {
  const whole = fc.tuple(text, fc.constantFrom('example.com', '\u05d0.example', 'b\u00fccher.example'), text)
  fc.assert(
    fc.property(whole, ([local, domain, resource]) => {
      const jid = attempt(() => Jid.parse(`${local}@${domain}/${resource}`))
      if (!jid) return
      const again = Jid.parse(jid.toString())
      assert.deepEqual([again.local, again.domain, again.resource], [jid.local, jid.domain, jid.resource])
      assert.ok(again.equals(jid))
    }),
    runs,
  )
})

test('the fast path for ASCII says what the profiles say', () => {
  const ascii = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
    minLength: 1,
    maxLength: 12,
  })
  fc.assert(
    fc.property(ascii, (given) => {
      const resource = attempt(() => prepareResource(given))
      assert.equal(resource, given.startsWith(' ') ? undefined : opaqueString(given))
      const local = attempt(() => prepareLocal(given))
      assert.equal(local, /["&'/:<>@ ]/.test(given) ? undefined : usernameCaseMapped(given))
    }),
    runs,
  )
})
