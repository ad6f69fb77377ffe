// Rooms and a reload of the configuration: who is in stays in, unless there are no rooms any more.
import assert from 'node:assert/strict'
import { arrives } from '../../support/friends.js'
import { BALL, codes, gather, says, SERVICE, x } from '../../support/rooms.js'
import { scene, OTHER_DOMAIN, secretFiles, type Cast } from '../../support/stage.js'
import { loadConfig } from '../../../src/config/load.js'
import { modules } from '../../../src/modules/index.js'

async function reloads({ stage }: Pick<Cast, 'stage'>, ...set: string[]): Promise<void> {
  const all = [`domain=${stage.domain}`, `domains=["${OTHER_DOMAIN}"]`, ...set]
  const { config } = loadConfig({ modules, env: {}, files: secretFiles, set: all })
  await stage.server.reload(config)
}

scene('a reload leaves everybody in, and what the features remember', async (cast) => {
  const { romeo, juliet, stage } = cast
  await gather([romeo, juliet])
  await arrives(
    stage,
    `<presence from='paris@verona.example/inn' to='${BALL}/paris'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
  )
  says(juliet, 'Ay me!')
  await juliet.settled()
  for (const actor of [romeo, juliet]) await actor.ignoresSoFar()

  await reloads(cast, 'modules.rooms.occupants=3')
  says(juliet, 'O Romeo!')
  for (const actor of [romeo, juliet]) {
    await actor.receives(`<message from='${BALL}/juliet'><body>O Romeo!</body></message>`)
    await actor.hearsNothingMore()
  }
  // The new settings hold, and those who were in count.
  const { nurse } = cast
  await nurse.connects()
  nurse.sends(`<presence to='${BALL}/nurse'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  await nurse.receives(
    `<presence type='error'><error type='wait'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></presence>`,
  )
  // XEP-0045 §18.1.2: also those of before are put out when they turn out to be gone.
  await arrives(
    stage,
    `<presence type='error' from='paris@verona.example/inn' to='${BALL}/juliet'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`,
  )
  for (const actor of [romeo, juliet])
    await actor.receives(
      `<presence type='unavailable' from='${BALL}/paris'>${x('<item/>', codes(333))}</presence>`,
    )
})

scene(
  'rooms that a reload takes away tell so, and are there again when it brings them back',
  async (cast) => {
    const { romeo, juliet } = cast
    await gather([romeo, juliet])
    await reloads(cast, 'modules.rooms.enabled=false')
    for (const actor of [romeo, juliet])
      await actor.receives(
        `<presence type='unavailable' from='${BALL}/${actor.local}'>${x(`<item role='none'/>`, codes(332, 110))}</presence>`,
      )
    await reloads(cast)
    await gather([romeo])
    says(romeo, 'Again!')
    await romeo.receives(`<message from='${BALL}/romeo'><body>Again!</body></message>`)
    await juliet.hearsNothingMore()
  },
)

scene('what is under way when the configuration is reloaded comes to its end', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet])
  await nurse.online()
  const version = `<query xmlns='jabber:iq:version'/>`
  const reply = romeo.asks(`<iq type='get' id='v' to='${BALL}/juliet'>${version}</iq>`)
  const id = (await juliet.next()).attrs['id'] as string
  juliet.sends(`<message id='ask' to='${BALL}'>${x(`<invite to='${nurse.bare}'/>`)}</message>`)
  await nurse.receives(`<message from='${BALL}'>${x(`<invite from='${BALL}/juliet'/>`)}</message>`)
  romeo.sends(`<presence to='${SERVICE}'><rai xmlns='urn:xmpp:rai:0'/></presence>`)
  romeo.sends(`<message type='chat' id='pm' to='${BALL}/juliet'><body>psst</body></message>`)
  for (const actor of [romeo, juliet]) await actor.ignoresSoFar()

  await reloads(cast, 'modules.rooms.occupants=3')
  juliet.sends(`<iq type='result' id='${id}' to='${BALL}/romeo'>${version}</iq>`)
  assert.equal((await reply).attrs['from'], `${BALL}/juliet`)
  const error = `<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
  juliet.sends(`<message type='error' id='pm' to='${BALL}/romeo'>${error}</message>`)
  await romeo.receives(`<message type='error' id='pm' from='${BALL}/juliet'>${error}</message>`)
  nurse.sends(`<message id='no' to='${BALL}'>${x(`<decline to='${BALL}/juliet'/>`)}</message>`)
  await juliet.receives(`<message id='no' from='${BALL}'>${x(`<decline from='${nurse.bare}'/>`)}</message>`)
  romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await romeo.ignoresSoFar()
  says(juliet, 'Gone?')
  await romeo.receives(
    `<message from='${SERVICE}'><rai xmlns='urn:xmpp:rai:0'><activity>${BALL}</activity></rai></message>`,
  )
})
