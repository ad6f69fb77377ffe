// XEP-0045 §10.1.1, XEP-0307: who may make rooms, how many, and under which names.
import assert from 'node:assert/strict'
import { BALL, enters, entrance, gather, SERVICE } from '../../support/rooms.js'
import type { Actor } from '../../support/actor.js'
import { DOMAIN, scene, type StageOptions } from '../../support/stage.js'
import { NS } from '../../../src/xml/namespaces.js'

const stanzas = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const withSettings = (...settings: string[]): StageOptions => ({
  set: settings.map((setting) => `host."${DOMAIN}".modules.rooms.${setting}`),
})

async function isRefused(actor: Actor, condition: string, type: string, room = BALL): Promise<void> {
  await actor.connects()
  actor.sends(entrance(actor, { room }))
  await actor.receives(
    `<presence type='error' id='enter' from='${room}/${actor.local}'><error type='${type}'>
      <${condition} xmlns='${stanzas}'/><text xmlns='${stanzas}'>{any}</text></error></presence>`,
  )
}

scene(
  'XEP-0045 §10.1.1: only admins make rooms, where the configuration says so; others enter them',
  async ({ stage, romeo, juliet }) => {
    await isRefused(juliet, 'not-allowed', 'cancel')
    await juliet.isRefused('not-allowed', 'get', `<unique xmlns='${NS.mucUnique}'/>`, SERVICE)
    await stage.appoint(romeo, 'admin')
    await gather([romeo])
    await enters(juliet)
  },
  withSettings('creation=admins'),
)

scene(
  'XEP-0045 §10.1.1: only those who are listed make rooms',
  async ({ romeo, juliet }) => {
    await isRefused(juliet, 'not-allowed', 'cancel')
    await gather([romeo])
  },
  withSettings('creation=listed', `creators=romeo@${DOMAIN}`),
)

scene(
  'modules.rooms.rooms_per_account: one room more than may be is refused',
  async ({ stage, juliet }) => {
    await enters(juliet, { room: `a@${SERVICE}` })
    await enters(juliet, { room: `b@${SERVICE}` })
    juliet.sends(entrance(juliet, { room: `c@${SERVICE}` }))
    await juliet.receives(
      `<presence type='error' from='c@${SERVICE}/juliet'><error type='wait'><resource-constraint xmlns='${stanzas}'/><text xmlns='${stanzas}'>{any}</text></error></presence>`,
    )
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'rooms_per_account'), 1)
    juliet.sends(`<presence type='unavailable' to='a@${SERVICE}/juliet'/>`)
    await juliet.ignoresSoFar()
    await enters(juliet, { room: `c@${SERVICE}` })
  },
  withSettings('rooms_per_account=2'),
)

scene('XEP-0045 §10.1: who is refused leaves no room behind', async ({ romeo, juliet }) => {
  await romeo.connects()
  romeo.sends(entrance(romeo, { nick: '&#x2003;' }))
  await romeo.ignoresSoFar()
  const heard = await enters(juliet)
  assert.match(heard.join(''), /201/)
})

scene('XEP-0307: a unique name, for a room that is not made by it', async ({ romeo }) => {
  await romeo.connects()
  const ask = async () => {
    const result = await romeo.gets(`<unique xmlns='${NS.mucUnique}'/>`, SERVICE)
    return result.child('unique', NS.mucUnique)!.text
  }
  const [one, other] = [await ask(), await ask()]
  assert.match(one, /^[0-9a-f]{32}$/)
  assert.notEqual(one, other)
  const heard = await enters(romeo, { room: `${one}@${SERVICE}` })
  assert.match(heard.join(''), /201/)
})

scene(
  'XEP-0045 §10.1: what new rooms are like at first is for the admin to say',
  async ({ romeo, juliet }) => {
    await gather([romeo])
    romeo.sends(`<presence type='unavailable' to='${BALL}/romeo'/>`)
    await romeo.ignoresSoFar()
    await juliet.connects()
    const result = await juliet.gets(`<query xmlns='${NS.discoItems}'/>`, SERVICE)
    assert.match(result.toString(), new RegExp(BALL))
  },
  withSettings('public=true', 'persistent=true'),
)
