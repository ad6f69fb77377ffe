import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'smol-toml'
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
