import assert from 'node:assert/strict'
import { test } from 'node:test'
import { delay, formatMoment, parseMoment } from '../../../src/stanza/delay.js'
import { Jid } from '../../../src/stanza/jid.js'
import { NS } from '../../../src/xml/namespaces.js'

const moon = Date.UTC(1969, 6, 21, 2, 56, 15)

const moments: [string, number][] = [
  // XEP-0082 §3.2.
  ['1969-07-21T02:56:15Z', moon],
  ['1969-07-20T21:56:15-05:00', moon],
  ['1969-07-21T09:56:15+07:00', moon],
  ['1969-07-21T02:56:15.5Z', moon + 500],
  ['1969-07-21T02:56:15.123999Z', moon + 123],
  ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
  ['0099-01-01T00:00:00Z', new Date('0099-01-01T00:00:00Z').getTime()],
]
for (const [text, at] of moments)
  test(`XEP-0082: ${text} is a moment`, () => {
    assert.equal(parseMoment(text), at)
    assert.equal(parseMoment(formatMoment(at)), at)
  })

for (const text of [
  '',
  '1969-07-21',
  '1969-07-21T02:56:15', // no zone
  '1969-07-21 02:56:15Z',
  '19690721T02:56:15', // the legacy form
  '2023-02-29T00:00:00Z',
  '2024-13-01T00:00:00Z',
  '2024-00-01T00:00:00Z',
  '2024-04-31T00:00:00Z',
  '2024-01-01T24:00:00Z',
  '2024-01-01T00:60:00Z',
  '2024-01-01T00:00:60Z',
  '2024-01-01T00:00:00.Z',
  '2024-01-01T00:00:00z',
  '2024-01-01T00:00:00+15:00',
  '2024-01-01T00:00:00+00:60',
  ' 2024-01-01T00:00:00Z',
])
  test(`XEP-0082: ${JSON.stringify(text)} is no moment`, () => {
    assert.equal(parseMoment(text), undefined)
  })

test('XEP-0203 §3: a delay says who held the stanza back, since when, and why', () => {
  assert.equal(
    delay(Jid.parse('capulet.example'), Date.UTC(2002, 8, 10, 23, 8, 25), 'Offline Storage').toString(),
    `<delay xmlns="${NS.delay}" from="capulet.example" stamp="2002-09-10T23:08:25.000Z">Offline Storage</delay>`,
  )
})
