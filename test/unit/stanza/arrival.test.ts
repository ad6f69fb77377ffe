import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arrivalOf, sentAgain } from '../../../src/stanza/arrival.js'
import { Jid } from '../../../src/stanza/jid.js'
import { Stanza } from '../../../src/stanza/stanza.js'

const by = Jid.parse('capulet.example')
const at = Date.UTC(2030, 0, 1)
const message = (attributes: string, content: string): Stanza =>
  Stanza.parse(
    `<message xmlns='jabber:client' to='romeo@montague.example' ${attributes}>${content}</message>`,
  )
const juliet = `from='juliet@capulet.example/balcony'`
const body = `<body>a &amp; b</body> \n <x xmlns="urn:example" b='1' a="2"/>`
const hex = (stanza: Stanza) => arrivalOf(stanza)?.key.toString('hex')

test('a message that is sent again has the key of the first, and says so', () => {
  for (const content of [
    body,
    '',
    `${body}<delay xmlns='urn:xmpp:delay' from='room@chat.example' stamp='2029-01-01T00:00:00Z'/>`,
  ]) {
    const first = message(`${juliet} id='1'`, content)
    const again = sentAgain(first, by, at)
    assert.deepEqual([arrivalOf(first)?.resent, arrivalOf(again)?.resent], [false, true])
    assert.equal(hex(again), hex(first))
    assert.match(
      again.toXml(),
      /<delay xmlns="urn:xmpp:delay" from="capulet.example" stamp="2030-01-01T00:00:00.000Z"\/>/,
    )
    // Out of a store, over another stream, and once more.
    const later = Stanza.parse(
      sentAgain(Stanza.parse(again.toStandaloneXml()), by, at + 5000).toStandaloneXml(),
    )
    assert.equal(hex(later), hex(first))
    assert.equal(later.toXml(), again.toXml())
  }
})

test('sender, id and payload make the key', () => {
  const keys = [
    message(`${juliet} id='1'`, body),
    message(`${juliet} id='2'`, body),
    message(`from='juliet@capulet.example/garden' id='1'`, body),
    message(`${juliet} id='1'`, '<body>a</body>'),
    message(`${juliet} id='1\n'`, body),
  ].map(hex)
  assert.equal(new Set(keys).size, keys.length)
  assert.equal(hex(message(juliet, body)), undefined)
})

test('a delay of somebody else is no sign of being sent again', () => {
  const forged = `<delay xmlns='urn:xmpp:delay' from='montague.example' stamp='2030-01-01T00:00:00Z'/>`
  assert.equal(arrivalOf(message(`${juliet} id='1'`, forged))?.resent, false)
})

test('only messages are marked', () => {
  const ping = Stanza.parse(
    `<iq xmlns='jabber:client' type='get' id='1' ${juliet}><ping xmlns='urn:xmpp:ping'/></iq>`,
  )
  assert.equal(sentAgain(ping, by, at), ping)
})
