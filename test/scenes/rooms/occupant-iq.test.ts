/** XEP-0410 and requests between occupants (XEP-0045 §6.6, §17.4): what is answered, and what nobody learns by it. */
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { BALL, enters, gather, SERVICE } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const ping = `<ping xmlns='urn:xmpp:ping'/>`
const version = `<query xmlns='jabber:iq:version'/>`
const info = `<query xmlns='http://jabber.org/protocol/disco#info'/>`
const card = `<vCard xmlns='vcard-temp'/>`

/** What somebody is asked by the room, with the id to answer under. */
async function asked(actor: Actor, pattern: string): Promise<string> {
  return (await actor.receives(pattern)).attrs['id'] as string
}

scene('XEP-0410 §3.3: the room answers who is in, and who is not', async ({ romeo, romeo$phone, juliet }) => {
  await gather([romeo, juliet])
  await romeo$phone.online()
  for (const to of [`${BALL}/romeo`, `${BALL}/nobody`, `nowhere@${SERVICE}/romeo`])
    await romeo$phone.isRefused('not-acceptable', 'get', ping, to)
  assert.equal((await romeo.gets(ping, `${BALL}/romeo`)).attrs['type'], 'result')
  await romeo.isRefused('item-not-found', 'get', ping, `${BALL}/nobody`)
  await enters(romeo$phone, { nick: 'romeo' })
  assert.equal((await romeo$phone.gets(ping, `${BALL}/romeo`)).attrs['type'], 'result')
  for (const actor of [romeo, juliet]) await actor.ignoresSoFar()
  romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await romeo.ignoresSoFar()
  await romeo.isRefused('not-acceptable', 'get', ping, `${BALL}/romeo`)
  assert.equal((await romeo$phone.gets(ping, `${BALL}/romeo`)).attrs['type'], 'result')
  const told = (await juliet.gets(info, BALL)).child('query')!.childrenOf('feature')
  const optimised = 'http://jabber.org/protocol/muc#self-ping-optimization'
  assert.ok(told.some(({ attrs }) => attrs['var'] === optimised))
})

scene(
  'XEP-0045 §17.4: a request goes to one client of the other and back, under other addresses and another id',
  async ({ romeo, juliet, juliet$phone, nurse }) => {
    await gather([nurse, romeo, juliet])
    await enters(juliet$phone, { nick: 'juliet' })
    for (const actor of [nurse, romeo, juliet, juliet$phone]) await actor.ignoresSoFar()
    const reply = romeo.asks(`<iq type='get' id='v' to='${BALL}/juliet'>${version}</iq>`)
    const id = await asked(
      juliet$phone,
      `<iq type='get' from='${BALL}/romeo' to='${juliet$phone.full}'>${version}</iq>`,
    )
    assert.notEqual(id, 'v')
    await juliet.hearsNothingMore()
    const answer = `<query xmlns='jabber:iq:version'><name>x</name></query>`
    // Somebody else cannot answer for her.
    nurse.sends(`<iq type='result' id='${id}' to='${BALL}/romeo'>${answer}</iq>`)
    juliet.sends(`<iq type='result' id='${id}' to='${BALL}/romeo'>${answer}</iq>`)
    await romeo.hearsNothingMore()
    juliet$phone.sends(`<iq type='result' id='${id}' to='${BALL}/romeo'>${answer}</iq>`)
    const got = await reply
    assert.deepEqual(
      [got.attrs['from'], got.attrs['to'], got.attrs['type']],
      [`${BALL}/juliet`, romeo.full, 'result'],
    )
    // And only once.
    juliet$phone.sends(`<iq type='result' id='${id}' to='${BALL}/romeo'>${answer}</iq>`)
    await romeo.hearsNothingMore()
  },
)

scene(
  'XEP-0045 §17.4: an error goes back too, without what it says of addresses',
  async ({ romeo, juliet, nurse }) => {
    await gather([nurse, romeo, juliet])
    const reply = romeo.asks(`<iq type='set' id='j' to='${BALL}/juliet'><x xmlns='urn:x'/></iq>`)
    const id = await asked(juliet, `<iq type='set' from='${BALL}/romeo'><x xmlns='urn:x'/></iq>`)
    juliet.sends(
      `<iq type='error' id='${id}' to='${BALL}/romeo'><x xmlns='urn:x'/><error type='cancel' by='${juliet.domain}'><gone xmlns='${STANZAS}'>xmpp:${juliet.bare}</gone><text xmlns='${STANZAS}'>${juliet.bare.toUpperCase()}</text></error></iq>`,
    )
    const got = await reply
    assert.ok(got.child('error')?.child('gone'))
    assert.ok(!got.toString().toLowerCase().includes(juliet.bare))
    assert.ok(!got.toString().includes('by='))
  },
)

scene(
  'XEP-0045 §6.6, §17.4: who is not in asks nobody, and nobody asks who is not there',
  async ({ romeo, juliet, nurse }) => {
    await gather([romeo, juliet])
    await nurse.online()
    await nurse.isRefused('bad-request', 'get', info, `${BALL}/juliet`)
    await nurse.isRefused('bad-request', 'get', info.replace('#info', '#items'), `${BALL}/nobody`)
    for (const to of ['juliet', 'nobody']) {
      await nurse.isRefused('not-acceptable', 'get', version, `${BALL}/${to}`)
      await nurse.isRefused('not-acceptable', 'get', card, `${BALL}/${to}`)
    }
    await romeo.isRefused('item-not-found', 'get', version, `${BALL}/nobody`)
    await juliet.hearsNothingMore()
    // An occupant may look.
    const reply = romeo.asks(`<iq type='get' id='i' to='${BALL}/juliet'>${info}</iq>`)
    const id = await asked(juliet, `<iq type='get' from='${BALL}/romeo'>${info}</iq>`)
    juliet.sends(`<iq type='result' id='${id}' to='${BALL}/romeo'>${info}</iq>`)
    assert.equal((await reply).attrs['type'], 'result')
  },
)

scene(
  'XEP-0045 §6.6: the card of an occupant comes from its account, without its address',
  async ({ romeo, juliet, nurse }) => {
    await gather([nurse, romeo, juliet])
    await romeo.isRefused('service-unavailable', 'get', card, `${BALL}/juliet`)
    await juliet.sets(
      `<vCard xmlns='vcard-temp'><FN>Juliet</FN><JABBERID>${juliet.bare}</JABBERID><EMAIL><USERID>${juliet.bare}</USERID></EMAIL></vCard>`,
    )
    await juliet.ignoresSoFar()
    const got = await romeo.gets(card, `${BALL}/juliet`)
    assert.equal(got.attrs['from'], `${BALL}/juliet`)
    const fields = got.child('vCard')!.childrenOf()
    assert.deepEqual(
      fields.map((field) => [field.local, field.text]),
      [['FN', 'Juliet']],
    )
    // A moderator sees the address anyway.
    const open = await nurse.gets(card, `${BALL}/juliet`)
    assert.equal(open.child('vCard')!.child('JABBERID')?.text, juliet.bare)
    // Nobody writes the card of another.
    const reply = romeo.asks(`<iq type='set' id='w' to='${BALL}/juliet'>${card}</iq>`)
    const id = await asked(juliet, `<iq type='set' from='${BALL}/romeo'>${card}</iq>`)
    juliet.sends(
      `<iq type='error' id='${id}' to='${BALL}/romeo'><error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error></iq>`,
    )
    assert.equal((await reply).attrs['type'], 'error')
  },
)

scene('an answer to somebody who has left is for nobody', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  romeo.sends(`<iq type='get' id='v' to='${BALL}/juliet'>${version}</iq>`)
  const id = await asked(juliet, `<iq type='get' from='${BALL}/romeo'>${version}</iq>`)
  romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await romeo.ignoresSoFar()
  await juliet.ignoresSoFar()
  juliet.sends(`<iq type='result' id='${id}' to='${BALL}/romeo'/>`)
  juliet.sends(`<iq type='result' id='never' to='${BALL}/romeo'/>`)
  await juliet.hearsNothingMore()
  await romeo.hearsNothingMore()
})
