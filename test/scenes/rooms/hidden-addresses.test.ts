/** XEP-0045 §7.2.4, §17.4: in a semi-anonymous room nothing that a mere participant gets names the address of another. */
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { BALL, configures, enters, entrance, gather, says, SERVICE } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const MUC_USER = 'http://jabber.org/protocol/muc#user'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const admin = (item: string) => `<query xmlns='http://jabber.org/protocol/muc#admin'><item ${item}</query>`

/** A request that the other answers with an error that says all it can. */
async function failsTo(asker: Actor, other: Actor): Promise<void> {
  const reply = asker.asks(
    `<iq type='get' id='fail' to='${BALL}/${other.local}'><query xmlns='jabber:iq:version'/></iq>`,
  )
  await other.settled()
  const id = (await other.next()).attrs['id']
  other.sends(
    `<iq type='error' id='${id}' to='${BALL}/${asker.local}'><error type='cancel' by='${other.full}'><gone xmlns='${STANZAS}'>xmpp:${other.bare}</gone><text xmlns='${STANZAS}'>${other.full}</text></error></iq>`,
  )
  await reply
}

scene('whatever happens in a room, who is in learns no address', async (cast) => {
  const { nurse, romeo, juliet, juliet$phone, tybalt, stage } = cast
  await gather([nurse, romeo, juliet])
  const others = [nurse, juliet, tybalt].map(({ local, domain }) => `${local}@${domain}`)
  const isClean = (what: string) => {
    for (const address of others) assert.ok(!romeo.heard.includes(address), `${what} tells ${address}`)
  }
  const step = async (what: string, happens: () => unknown) => {
    await happens()
    for (const actor of [nurse, romeo, juliet, juliet$phone])
      if (actor.isConnected) await actor.ignoresSoFar()
    await stage.settled()
    isClean(what)
  }

  await step('an entry', () => enters(juliet$phone, { nick: 'juliet' }))
  await step('presence', () =>
    juliet.sends(
      `<presence to='${BALL}/juliet'><show>away</show><status>x</status><x xmlns='${MUC_USER}'><item jid='${juliet.full}'/></x></presence>`,
    ),
  )
  await step('a message', () => says(juliet, 'x'))
  await step('a subject', () =>
    juliet.sends(`<message type='groupchat' to='${BALL}'><subject>x</subject></message>`),
  )
  await step('the subject of the owner', () =>
    nurse.sends(`<message type='groupchat' to='${BALL}'><subject>x</subject></message>`),
  )
  await step('a private message', () =>
    juliet.sends(`<message type='chat' id='pm' to='${BALL}/romeo'><body>x</body></message>`),
  )
  await step('an error of a private message', () => {
    romeo.sends(`<message type='chat' id='pm' to='${BALL}/juliet'><body>x</body></message>`)
    return romeo
      .settled()
      .then(() =>
        juliet.sends(
          `<message type='error' id='pm' to='${BALL}/romeo'><error type='cancel' by='${juliet.full}'><not-acceptable xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>${juliet.full}</text></error></message>`,
        ),
      )
  })
  await step('a request', () =>
    juliet.sends(`<iq type='get' id='q' to='${BALL}/romeo'><query xmlns='jabber:iq:version'/></iq>`),
  )
  await step('an error', () => failsTo(romeo, nurse))
  await step('a card', async () => {
    await juliet.sets(`<vCard xmlns='vcard-temp'><JABBERID>${juliet.bare}</JABBERID></vCard>`)
    await romeo.gets(`<vCard xmlns='vcard-temp'/>`, `${BALL}/juliet`)
    await romeo.gets(`<vCard xmlns='vcard-temp'/>`, `${BALL}/nurse`)
  })
  await step('a change of nick', () => {
    juliet$phone.sends(`<presence to='${BALL}/phone'/>`)
    juliet.sends(`<presence to='${BALL}/montague'/>`)
  })
  await step('a role', () => nurse.sets(admin(`nick='phone' role='visitor'><reason>x</reason></item>`), BALL))
  await step('an affiliation', () =>
    nurse.sets(admin(`jid='${juliet.bare}' affiliation='member'><reason>x</reason></item>`), BALL),
  )
  await step('an affiliation of somebody who is away', () =>
    nurse.sets(admin(`jid='${tybalt.bare}' affiliation='member'/>`), BALL),
  )
  await step('a kick', () => nurse.sets(admin(`nick='phone' role='none'><reason>x</reason></item>`), BALL))
  await step('an exit', () => juliet.sends(`<presence type='unavailable' to='${BALL}/montague'/>`))
  await step('an entry again', () => enters(juliet))
  await step('a ban', () => nurse.sets(admin(`jid='${juliet.bare}' affiliation='outcast'/>`), BALL))
  await step('an invitation', () => {
    romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
    romeo.sends('<presence/>')
    nurse.sends(
      `<message to='${BALL}'><x xmlns='${MUC_USER}'><invite to='${romeo.bare}'><reason>x</reason></invite></x></message>`,
    )
  })
  await step('history', () => enters(romeo))
  await step('the archive', () => romeo.sets(`<query xmlns='urn:xmpp:mam:2'/>`, BALL))
  await step('discovery', async () => {
    for (const node of ['', ` node='x-roomuser-item'`])
      await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#info'${node}/>`, BALL)
    for (const to of [BALL, SERVICE])
      await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#items'/>`, to)
  })
  await step('lists', async () => {
    for (const list of ['owner', 'admin', 'member', 'outcast'])
      await romeo.gets(admin(`affiliation='${list}'/>`), BALL)
    await romeo.gets(admin(`role='moderator'/>`), BALL)
  })
  await step('a refusal', () => romeo.sends(entrance(romeo, { nick: 'nurse' })))
  await step('another configuration', () => configures(nurse, { roomname: 'x', moderatedroom: '1' }))
  await step('the loss of a client', () => nurse.leaves())
  assert.ok(romeo.heard.includes(`${BALL}/montague`))
})

scene('in an open room everybody knows everybody', async ({ nurse, romeo, juliet }) => {
  await gather([nurse])
  await configures(nurse, { whois: 'anyone' })
  await enters(romeo)
  await romeo.ignoresSoFar()
  await enters(juliet)
  const item = (await romeo.next()).child('x', MUC_USER)?.child('item')
  assert.equal(item?.attrs['jid'], juliet.full)
})
