/** Stanzas on their way to many. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Jid } from '../../../src/stanza/jid.js'
import { Stanza } from '../../../src/stanza/stanza.js'
import { el } from '../../../src/xml/element.js'

const [room, juliet, romeo] = [
  'ball@rooms.example/nurse',
  'juliet@capulet.example',
  'romeo@montague.example',
].map((text) => Jid.parse(text)) as [Jid, Jid, Jid]
const id = (by: string) => el('stanza-id', 'urn:xmpp:sid:0', { by, id: '1' })
const said = Stanza.of(
  { kind: 'message', from: room, type: 'groupchat' },
  el('body', 'jabber:client', {}, 'Anon!'),
  id('ball@rooms.example'),
  id('nurse@capulet.example'),
)

test('what is read of a stanza is read once for all to whom it is addressed', () => {
  const [one, two] = [said.readdressed({ to: juliet }), said.readdressed({ to: romeo })]
  assert.equal(one.child('body'), two.child('body'))
  assert.equal(one.children[0]?.text, 'Anon!')
})

test('a stanza of which nothing is taken stays the one that it was', () => {
  const one = said.readdressed({ to: juliet })
  assert.equal(
    one.withoutChildren('stanza-id', 'urn:xmpp:sid:0', () => false),
    one,
  )
  const less = one.withoutChildren(
    'stanza-id',
    'urn:xmpp:sid:0',
    ({ attrs }) => attrs['by'] !== 'ball@rooms.example',
  )
  assert.deepEqual(
    less.children.map(({ local, attrs }) => [local, attrs['by']]),
    [
      ['body', undefined],
      ['stanza-id', 'ball@rooms.example'],
    ],
  )
  assert.equal(one.children.length, 3)
  assert.match(less.toXml(), /^<message to='juliet@capulet.example' from='ball@rooms.example\/nurse' /)
})
