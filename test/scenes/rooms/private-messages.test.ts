/** XEP-0045 §7.5: what one occupant says to another alone. */
import assert from 'node:assert/strict'
import { archiveOf } from '../../support/archive.js'
import { BALL, configures, enters, gather, says } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const MUC_USER = 'http://jabber.org/protocol/muc#user'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const mark = `<x xmlns='${MUC_USER}'/>`
const occupantId = `<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{any}'/>`
const pm = (to: string, more = '', type = 'chat') =>
  `<message id='pm' type='${type}' to='${BALL}/${to}'><body>psst</body>${more}</message>`
const refusal = (condition: string) =>
  `<message type='error' id='pm'><error>{any}<${condition} xmlns='${STANZAS}'/></error></message>`

scene(
  '§7.5: goes to all clients of the other, from the nick, marked and without addresses',
  async ({ romeo, juliet, juliet$phone, nurse }) => {
    await gather([romeo, juliet, nurse])
    await enters(juliet$phone, { nick: 'juliet' })
    for (const actor of [romeo, juliet, juliet$phone, nurse]) await actor.ignoresSoFar()
    const forged = `<x xmlns='${MUC_USER}'><item jid='a@b' affiliation='owner'/></x><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>`
    for (const more of ['', mark, forged])
      for (const type of ['chat', 'normal']) {
        nurse.sends(pm('juliet', more, type))
        for (const actor of [juliet, juliet$phone]) {
          const got = await actor.receives(
            `<message from='${BALL}/nurse' to='${actor.full}' id='pm' type='${type}'><body>psst</body>${mark}${occupantId}</message>`,
          )
          assert.notEqual(got.child('occupant-id')?.attrs['id'], 'forged')
        }
      }
    // The same person has the same id in what it says to all.
    says(nurse, 'all')
    const id = (await juliet.next()).child('occupant-id')?.attrs['id']
    nurse.sends(pm('juliet'))
    assert.equal((await juliet.next()).child('occupant-id')?.attrs['id'], id)
    await romeo.next()
    await romeo.hearsNothingMore()
  },
)

scene('§7.5: to nobody, from nobody, and to one alone as if to all', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await nurse.online()
  romeo.sends(pm('tybalt'))
  await romeo.receives(refusal('item-not-found'))
  nurse.sends(pm('juliet'))
  await nurse.receives(refusal('not-acceptable'))
  romeo.sends(pm('juliet', '', 'groupchat'))
  await romeo.receives(refusal('bad-request'))
  await juliet.hearsNothingMore()
})

scene('§7.5, §16.5.3: who may say it is set by the owner', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet, nurse])
  await romeo.sets(
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='nurse' role='visitor'/></query>`,
    BALL,
  )
  const may = async () => {
    const able: string[] = []
    for (const actor of [romeo, juliet, nurse]) {
      await actor.ignoresSoFar()
      actor.sends(pm(actor.local))
      const answer = await actor.next()
      if (answer.attrs['type'] === 'chat') able.push(actor.local)
      else assert.ok(answer.child('error')?.child('forbidden'), answer.toString())
    }
    return able
  }
  const able = {
    anyone: ['romeo', 'juliet', 'nurse'],
    participants: ['romeo', 'juliet'],
    moderators: ['romeo'],
    none: [],
  }
  assert.deepEqual(await may(), able.anyone)
  for (const [value, expected] of Object.entries(able)) {
    await configures(romeo, { allowpm: value })
    assert.deepEqual(await may(), expected, value)
  }
})

scene(
  '§7.5, XEP-0313 §6.1.2: in the archives of both, and not in that of the room',
  async ({ romeo, juliet, juliet$phone }) => {
    await gather([romeo, juliet])
    await enters(juliet$phone, { nick: 'juliet' })
    romeo.sends(pm('juliet'))
    for (const actor of [romeo, juliet, juliet$phone]) await actor.ignoresSoFar()
    for (const actor of [romeo, juliet]) {
      const { results, bodies } = await archiveOf(actor)
      assert.deepEqual(bodies, ['psst'])
      const message = results[0]!.child('forwarded')!.child('message')!
      const [own, other] = actor === romeo ? ['to', 'juliet'] : ['from', 'romeo']
      assert.equal(message.attrs[own!], `${BALL}/${other}`)
    }
    const query = `<query xmlns='urn:xmpp:mam:2'/>`
    assert.equal((await romeo.sets(query, BALL)).attrs['type'], 'result')
    await romeo.hearsNothingMore()
  },
)

scene(
  '§7.5, §17.4: an error of the other comes back from its nick, and tells no address',
  async ({ romeo, juliet, nurse }) => {
    await gather([nurse, romeo, juliet])
    romeo.sends(pm('juliet'))
    await juliet.next()
    const reason = `<not-acceptable xmlns='${STANZAS}'/>`
    const told = `<text xmlns='${STANZAS}'>${juliet.bare} is busy</text><busy xmlns='urn:example'/>`
    const error = (id: string) =>
      `<message type='error' id='${id}' to='${BALL}/romeo'><error type='modify' by='${juliet.full}'>${reason}${told}</error></message>`
    juliet.sends(error('other'))
    juliet.sends(error('pm'))
    await romeo.receives(
      `<message type='error' id='pm' from='${BALL}/juliet' to='${romeo.full}'><error type='modify' by='{none}'>${reason}<busy xmlns='urn:example'/></error></message>`,
    )
    await nurse.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
)
