// XEP-0045 §10.9: the end of a room.
import assert from 'node:assert/strict'
import { BALL, enters, gather, SERVICE } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import { NS } from '../../../src/xml/namespaces.js'

const query = (destroy: string) => `<query xmlns='${NS.mucOwner}'>${destroy}</query>`

scene('XEP-0045 §10.9: everybody gets one presence, with reason, venue and its password', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  const destroy = `<destroy jid='coven@${SERVICE}'><password>open &amp; sesame</password><reason>Dawn &lt;comes&gt;.</reason></destroy>`
  romeo.sends(`<iq type='set' id='end' to='${BALL}'>${query(destroy)}</iq>`)
  for (const actor of [romeo, juliet, nurse]) {
    await actor.receives(
      `<presence type='unavailable' from='${BALL}/${actor.local}' to='${actor.full}'>
        <x xmlns='${NS.mucUser}'><item affiliation='none' role='none'/>${destroy}<status code='110'/></x>
      </presence>`,
    )
  }
  await romeo.receives(`<iq type='result' id='end' from='${BALL}'/>`)
  for (const actor of [romeo, juliet, nurse]) await actor.hearsNothingMore()
  // It is gone: whoever comes now makes another one.
  const heard = await enters(nurse)
  assert.match(heard.join(''), /201/)
})

scene('XEP-0045 §10.9: only owners do it', async ({ romeo, juliet }) => {
  await gather([romeo, juliet])
  await juliet.isRefused('forbidden', 'set', query('<destroy/>'), BALL)
  await romeo.hearsNothingMore()
  await romeo.isRefused('jid-malformed', 'set', query(`<destroy jid='@@'/>`), BALL)
  await juliet.hearsNothingMore()
})

scene('XEP-0045 §10.9: a room that nobody is in, too', async ({ romeo }) => {
  await gather([romeo])
  await romeo.sets(
    query(
      `<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_persistentroom'><value>1</value></field></x>`,
    ),
    BALL,
  )
  romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
  await romeo.ignoresSoFar()
  await romeo.sets(query('<destroy/>'), BALL)
  await romeo.isRefused('item-not-found', 'set', query('<destroy/>'), BALL)
})
