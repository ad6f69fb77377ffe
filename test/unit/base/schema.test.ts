import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  address,
  choice,
  domain,
  duration,
  flag,
  jid,
  list,
  listeners,
  Misfit,
  number,
  option,
  options,
  rate,
  required,
  secret,
  size,
  table,
  text,
  toml,
  written,
} from '../../../src/base/schema.js'
import type { Option } from '../../../src/base/schema.js'

const schema = options({
  tellStatus: flag(true, 'Also tell the last status text'),
  keepFor: duration('30d', 'How long'),
  inner: options({ c2sLimit: number(5, 'How many', { max: 10 }) }),
})

test('defaults, snake_case keys and nesting', () => {
  assert.deepEqual(schema.parse(), { tellStatus: true, keepFor: 30 * 86_400_000, inner: { c2sLimit: 5 } })
  const value = schema.parse({ tell_status: false, inner: { c2s_limit: 7 } })
  const typed: boolean = value.tellStatus
  assert.equal(typed, false)
  assert.equal(value.inner.c2sLimit, 7)
  assert.equal(written('c2sStanzaSize'), 'c2s_stanza_size')
})

test('all problems at once, unknown keys with what was meant', () => {
  assert.throws(
    () => schema.parse({ tell_statu: true, keep_for: 30, inner: 3 }),
    (fault) =>
      fault instanceof Misfit &&
      fault.message ===
        'keep_for = 30  has no unit (write a duration such as "30d" or "12h")\n' +
          'inner is not a table (write [inner] and its keys below)\n' +
          'unknown key tell_statu (did you mean tell_status?)',
  )
})

/** [option, raw, value or the message of its misfit] */
const cases: [Option<unknown>, unknown, unknown][] = [
  [flag(true, ''), 'yes', /neither true nor false/],
  [text('a', ''), 3, /not text/],
  [text('a', '', { max: 3 }), 'four', /longer than 3/],
  [text('a', ''), 'a\nb', /more than one line/],
  [text('a', '', { pattern: /^a/, expects: 'an a' }), 'b', /is not an a/],
  [number(1, ''), 1.5, /not a whole number/],
  [number(1, ''), '1', /not a whole number/],
  [number(1, '', { min: 1, max: 3 }), 4, /is not from 1 to 3/],
  [number(1, '', { off: true }), 'off', Infinity],
  [number(1, ''), 'off', /not a whole number/],
  [duration('1s', ''), '250ms', 250],
  [duration('1s', ''), '1.5h', 5_400_000],
  [duration('1s', ''), '2 w', 14 * 86_400_000],
  [duration('1s', ''), 30, /has no unit/],
  [duration('1s', ''), '30', /has no unit/],
  [duration('1s', ''), '30 parsecs', /unknown unit "parsecs"/],
  [duration('1s', ''), '1constructor', /unknown unit/],
  [duration('1s', ''), '-1s', /not a duration/],
  [duration('1s', '', { min: '1s' }), '999ms', /too small/],
  [duration('1s', '', { max: '1h' }), '61m', /too large/],
  [duration('1s', '', { off: true }), 'off', Infinity],
  [size('1B', ''), '100MB', 100_000_000],
  [size('1B', ''), '10MiB', 10_485_760],
  [size('1B', ''), 4096, /has no unit/],
  [size('1B', ''), '1mb', /unknown unit "mb"/],
  [rate('1/s', ''), '20/min', { count: 20, per: 60_000 }],
  [rate('1/s', ''), '20', /not a rate/],
  [rate('1/s', ''), 20, /has no unit/],
  [rate('1/s', ''), '20/fortnight', /unknown unit of time/],
  [rate('1/s', ''), '1KB/s', /not a rate/],
  [rate('1KB/s', '', { bytes: true }), '20 KB/s', { count: 20_000, per: 1000 }],
  [rate('1KB/s', '', { bytes: true }), '20/s', /has no unit/],
  [rate('1/s', '', { off: true }), 'off', { count: Infinity, per: 1000 }],
  [choice(['json', 'text'], 'json', ''), 'test', /is not one of "json", "text"/],
  [list(domain(required, ''), [], ''), ['a.example', 'B.example'], ['a.example', 'b.example']],
  [list(domain(required, ''), [], ''), 'a.example', ['a.example']],
  [list(domain(required, ''), [], ''), ['a b'], /^: "a b" is not a domain name/],
  [list(domain(required, ''), [], '', { min: 1 }), [], /is empty/],
  [address(required, ''), '[::]:5222', { host: '::', port: 5222 }],
  [address(required, ''), 'localhost:1', { host: 'localhost', port: 1 }],
  [address(required, ''), '5222', /has no address/],
  [address(required, ''), '::1', /no port or no brackets/],
  [address(required, ''), 'a:99999', /over 65535/],
  [address(required, ''), '[a]:1', /no IPv6/],
  [listeners('[::]:1', ''), 'off', []],
  [
    listeners('[::]:1', ''),
    ['[::1]:1', 'b:2'],
    [
      { host: '::1', port: 1 },
      { host: 'b', port: 2 },
    ],
  ],
  [domain(required, ''), 'Example.ORG.', 'example.org'],
  [domain(required, ''), 'bücher.example', 'bücher.example'],
  [domain(required, ''), '127.0.0.1', '127.0.0.1'],
  [domain(required, ''), '', /not a domain/],
  [domain(required, ''), '-a.example', /not a domain/],
  [domain(required, ''), 'a..b', /not a domain/],
  [domain(required, ''), `${'a'.repeat(64)}.example`, /not a domain/],
  [domain(required, ''), 'https://a.example/', /is a URL/],
  [domain(required, ''), 'ana@a.example', /is an address/],
  [jid(required, ''), 'ana@Example.org', 'ana@example.org'],
  [jid(required, ''), 'ana', /not an address/],
  [jid(required, ''), 'ana@a/phone', /has a resource/],
  [secret(undefined, ''), '', /is empty/],
]

for (const [of, raw, expected] of cases) {
  test(`${of.kind}: ${JSON.stringify(raw)?.slice(0, 60)} ${expected instanceof RegExp ? 'is refused' : 'is taken'}`, () => {
    if (expected instanceof RegExp)
      assert.throws(
        () => of.parse(raw),
        (fault) => fault instanceof Misfit && expected.test(fault.message),
      )
    else assert.deepEqual(of.parse(raw), expected)
  })
}

test('texts of the environment become values', () => {
  assert.equal(flag(true, '').fromText('Off'), false)
  assert.equal(flag(true, '').fromText('maybe'), 'maybe')
  assert.equal(number(1, '').fromText('12'), 12)
  assert.equal(number(1, '').fromText('twelve'), 'twelve')
  const names = list(text(required, ''), [], '')
  assert.deepEqual(names.fromText('a, b'), ['a', 'b'])
  assert.deepEqual(names.fromText('["a, b"]'), ['a, b'])
  assert.deepEqual(names.fromText(''), [])
  assert.deepEqual(listeners('a:1', '').fromText('[::]:5222,127.0.0.1:1'), ['[::]:5222', '127.0.0.1:1'])
})

test('a required option without value is a problem, one with undefined as default is not', () => {
  assert.throws(() => options({ account: jid(required, 'whose') }).parse(), /account is missing/)
  const { account } = options({ account: jid(undefined, 'whose') }).parse()
  const optional: string | undefined = account
  assert.equal(optional, undefined)
})

test('a secret is not shown, and given as text or file but not both', () => {
  const url = secret(undefined, '', { mask: (value) => value.replace(/:[^:]*@/, ':***@') })
  assert.equal(secret(undefined, '').show('pencil'), '"********"')
  assert.equal(url.show('pg://u:pw@h'), '"pg://u:***@h"')
  assert.throws(
    () => options({ password: secret(undefined, '') }).parse({ password: 'a', password_file: 'b' }),
    /both set/,
  )
  assert.throws(
    () => options({ password: secret(undefined, '') }).parse({ password_file: 3 }),
    /not the path/,
  )
})

test('a table takes any name, also those of JavaScript', () => {
  const hosts = options({ host: table(options({ max: number(1, '') }), 'Per host') })
  const raw = JSON.parse('{"host":{"__proto__":{"max":2},"constructor":{}}}') as unknown
  assert.deepEqual(
    [...hosts.parse(raw).host],
    [
      ['__proto__', { max: 2 }],
      ['constructor', { max: 1 }],
    ],
  )
  assert.throws(() => hosts.parse({ host: 1 }), /host is not a table/)
  assert.throws(
    () => options({ a: flag(true, '') }).parse(JSON.parse('{"__proto__":1}')),
    /unknown key __proto__/,
  )
})

test('other layers make their own kinds', () => {
  const even = option<number>({
    kind: 'even',
    doc: '',
    fallback: 2,
    reload: 'applied',
    expects: 'an even number',
    parse(raw) {
      if (typeof raw !== 'number' || raw % 2 !== 0) throw new Misfit('is odd')
      return raw
    },
  })
  assert.throws(() => options({ even }).parse({ even: 3 }), /even = 3 {2}is odd \(write an even number\)/)
})

test('values as TOML', () => {
  assert.equal(toml(['a"b', 1, true, { c: 'd' }]), '["a\\"b", 1, true, { c = "d" }]')
})
