import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse, stringify, TomlError } from 'smol-toml'
import { isTable } from '../../../src/base/schema.js'
import { pathOf, positionsOf } from '../../../src/config/positions.js'

const text = `# a comment with key = "value"
domain = "example.org"  # and one more

[limits]
  c2s_rate = "20KB/s"
long = """
[not.a.table]
key = 1 \\""" still"""""
'quo.ted' = [ "a]", # ] not the end
  'b', { inner = 1 } ]

[host."example.org".tls]
certificate="a.pem"
point = { x = 1, "y z" = { deep = true } }
a.b . c = 1979-05-27T07:32:00Z
[[many]]
name = ''
`

const spot = (line: number, column: number) => ({ line, column })

test('keys and values are found at their line and column', () => {
  parse(text)
  const at = positionsOf(text)
  assert.deepEqual(at(['domain']), { key: spot(2, 1), value: spot(2, 10) })
  assert.deepEqual(at(['limits']), { key: spot(4, 2), value: spot(4, 2) })
  assert.deepEqual(at(['limits', 'c2s_rate']), { key: spot(5, 3), value: spot(5, 14) })
  assert.deepEqual(at(['limits', 'long'])?.value, spot(6, 8))
  assert.equal(at(['not', 'a', 'table']), undefined)
  assert.deepEqual(at(['limits', 'quo.ted'])?.key, spot(9, 1))
  assert.deepEqual(at(['host', 'example.org', 'tls'])?.key, spot(12, 21))
  assert.deepEqual(at(['host', 'example.org', 'tls', 'certificate'])?.value, spot(13, 13))
  assert.deepEqual(at(['host', 'example.org', 'tls', 'point', 'y z', 'deep'])?.key, spot(14, 28))
  assert.deepEqual(at(['host', 'example.org', 'tls', 'a', 'b', 'c'])?.value, spot(15, 11))
  assert.deepEqual(at(['many', 'name'])?.key, spot(17, 1))
})

test('dotted keys of the command line', () => {
  assert.deepEqual(pathOf('log.level'), ['log', 'level'])
  assert.deepEqual(pathOf('host."example.org".tls.key'), ['host', 'example.org', 'tls', 'key'])
  for (const wrong of ['', 'a..b', 'a b', 'a=b', '"open', '.']) assert.equal(pathOf(wrong), undefined, wrong)
})

test('escapes of keys are those of TOML', () => {
  const text = '"\\U0001F600 \\u0041" = 1'
  const [key = ''] = Object.keys(parse(text))
  assert.deepEqual(positionsOf(text)([key]), { key: spot(1, 1), value: spot(1, 23) })
})

/** Keys and texts that look like other parts of TOML. */
const odd = fc.constantFrom('a', 'a.b', '', '"', "'", '#', '[x]', '=', '\n', 'ä', '\\', '"""', '__proto__')
const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>((tie) => ({
  table: fc.dictionary(odd, tie('value'), { maxKeys: 4 }),
  value: fc.oneof(
    { maxDepth: 3 },
    odd,
    fc.integer(),
    fc.boolean(),
    fc.array(odd, { maxLength: 3 }),
    tie('table'),
  ),
}))

test('every key of any text is found where it stands', () => {
  fc.assert(
    fc.property(table, (value) => {
      const text = stringify(value)
      const lines = text.split('\n')
      const at = positionsOf(text)
      const check = (part: Record<string, unknown>, path: readonly string[]) => {
        for (const [key, child] of Object.entries(part)) {
          const here = [...path, key]
          const position = at(here)
          assert.ok(position, `${JSON.stringify(here)} in\n${text}`)
          const there = lines[position.key.line - 1]?.slice(position.key.column - 1) ?? ''
          assert.ok(
            /^["']/.test(there) || (key !== '' && there.startsWith(key)),
            `${JSON.stringify(here)} at ${there}`,
          )
          if (isTable(child)) check(child, here)
        }
      }
      check(parse(text), [])
    }),
    { numRuns: 300 },
  )
})

test('any text at all ends', () => {
  const piece = fc.oneof(odd, fc.constantFrom('{', '}', ',', ' ', 'x', '[', ']', '.'))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (parts) => {
      pathOf(parts.join(''))
      try {
        positionsOf(parts.join(''))
      } catch (fault) {
        // Of a broken string in a key, in a text that nobody parsed before.
        assert.ok(fault instanceof TomlError)
      }
    }),
  )
})
