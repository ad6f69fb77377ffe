/** Small parts of rooms that know nothing of rooms: how often, and of whom. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hourly } from '../../../../src/modules/rooms/hourly.js'
import { mentionedIn } from '../../../../src/modules/rooms/mentioned.js'
import { Jid } from '../../../../src/stanza/jid.js'
import { Stanza } from '../../../../src/stanza/stanza.js'

const HOUR = 3_600_000
/** Half past some hour. */
const start = 500_000 * HOUR + HOUR / 2

test('XEP-0502 §5: nothing is known before an hour was watched from its beginning to its end', () => {
  const hourly = new Hourly(start)
  for (let i = 0; i < 5; i++) hourly.add(start)
  assert.equal(hourly.rate(start + HOUR - 1), undefined)
  assert.equal(hourly.rate(start + 1.4 * HOUR), undefined)
  assert.equal(hourly.rate(start + 1.5 * HOUR), 0)
})

test('XEP-0502 §4: messages per hour, of the last 24 whole hours', () => {
  const hourly = new Hourly(start)
  // In the first hours one, two, three ...
  for (let hour = 1; hour <= 30; hour++) for (let i = 0; i < hour; i++) hourly.add(start + hour * HOUR)
  const average = (from: number, to: number) => (from + to) / 2
  assert.equal(hourly.rate(start + 30.4 * HOUR), average(6, 29))
  assert.equal(hourly.rate(start + 31 * HOUR), average(7, 30))
  assert.equal(
    hourly.rate(start + 42 * HOUR),
    Array.from({ length: 13 }, (_, i) => 18 + i).reduce((a, b) => a + b) / 24,
  )
  assert.equal(hourly.rate(start + 55 * HOUR), 0)
  assert.equal(hourly.rate(start + 5_000 * HOUR), 0)
})

test('an hourly count survives a clock that is set back', () => {
  const hourly = new Hourly(start)
  hourly.add(start + HOUR)
  hourly.add(start)
  assert.equal(hourly.rate(start + 2 * HOUR), 2)
})

const message = (content: string) =>
  Stanza.parse(`<message from='a@b/c' type='groupchat'><body>x</body>${content}</message>`)
const reference = (uri: string, type = 'mention') =>
  `<reference xmlns='urn:xmpp:reference:0' type='${type}' begin='0' end='1' uri='${uri}'/>`
const mentioned = (content: string) => mentionedIn(message(content)).map(String)

test('XEP-0372 §3.2: people and occupants that a message refers to, each once', () => {
  assert.deepEqual(mentioned(''), [])
  assert.deepEqual(mentioned(reference('xmpp:juliet@capulet.example')), ['juliet@capulet.example'])
  assert.deepEqual(
    mentioned(
      reference('xmpp:JULIET@capulet.example') +
        reference('xmpp:juliet@capulet.example?message') +
        reference('XMPP:room@rooms.example/Third%20Witch#x'),
    ),
    ['juliet@capulet.example', 'room@rooms.example/Third Witch'],
  )
})

test('what refers to nobody mentions nobody', () => {
  for (const uri of [
    'xmpp:',
    'xmpp:capulet.example',
    'xmpp://a@b/c@d',
    'mailto:a@b',
    'xmpp:a%zz@b',
    'xmpp:@b',
    '',
  ])
    assert.deepEqual(mentioned(reference(uri)), [], uri)
  assert.deepEqual(mentioned(reference('xmpp:a@b', 'data')), [])
  assert.deepEqual(mentioned("<reference xmlns='urn:other' type='mention' uri='xmpp:a@b'/>"), [])
})

test('twenty are read of a message that mentions a thousand', () => {
  const many = Array.from({ length: 1000 }, (_, i) => reference(`xmpp:p${i}@b`)).join('')
  const found = mentionedIn(message(many))
  assert.equal(found.length, 20)
  assert.ok(found[19]!.equals(Jid.parse('p19@b')))
})
