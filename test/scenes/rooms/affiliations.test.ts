// XEP-0045 §9, §10: affiliations, by admins and owners.
import assert from 'node:assert/strict'
import { BALL, codes, entrance, enters, gather, x } from '../../support/rooms.js'
import { DOMAIN, OTHER_DOMAIN, scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import { NS } from '../../../src/xml/namespaces.js'

const admin = (...items: string[]) => `<query xmlns='${NS.mucAdmin}'>${items.join('')}</query>`

async function sets(actor: Actor, ...items: string[]): Promise<void> {
  const reply = await actor.sets(admin(...items), BALL)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
}

/** What a list says, as text. */
async function list(actor: Actor, affiliation: string): Promise<string[]> {
  const reply = await actor.gets(admin(`<item affiliation='${affiliation}'/>`), BALL)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
  return reply
    .child('query', NS.mucAdmin)!
    .childrenOf('item')
    .map(({ attrs, ...item }) => {
      assert.equal(attrs['affiliation'], affiliation)
      return [attrs['jid'], attrs['nick'], item].filter((part) => typeof part === 'string').join(' ')
    })
}

const refusal = (condition: string, type: string) =>
  `<error type='${type}'><${condition} xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error>`

async function isKeptOut(actor: Actor, condition = 'forbidden', type = 'auth'): Promise<void> {
  if (!actor.isConnected) await actor.connects()
  actor.sends(entrance(actor))
  await actor.receives(
    `<presence type='error' from='${BALL}/${actor.local}'>${refusal(condition, type)}</presence>`,
  )
}

scene('XEP-0045 §9.1: a ban of somebody who is in', async ({ romeo, juliet, juliet$phone: phone, nurse }) => {
  await gather([romeo, juliet, phone, nurse])
  romeo.sends(
    `<iq type='set' id='ban' to='${BALL}'>${admin(`<item affiliation='outcast' jid='${juliet.full}'><reason>Treason</reason></item>`)}</iq>`,
  )
  const banned = (item: string, ...numbers: number[]) =>
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='outcast' role='none' ${item}><actor nick='romeo'/><reason>Treason</reason></item>`, codes(...numbers))}</presence>`
  for (const client of [juliet, phone]) await client.receives(banned('', 301, 110))
  await romeo.receives(`<iq type='result' id='ban'/>`)
  await romeo.receives(banned(`jid='{any}'`, 301))
  await nurse.receives(banned(`jid='{none}'`, 301))
  for (const actor of [romeo, juliet, phone, nurse]) await actor.hearsNothingMore()
  await isKeptOut(juliet)
  // §9.2: and may come back.
  const reply = await romeo.gets(admin(`<item affiliation='outcast'/>`), BALL)
  assert.equal(reply.child('query')?.child('item')?.child('reason')?.text, 'Treason')
  await sets(romeo, `<item affiliation='none' jid='${juliet.bare}'/>`)
  await enters(juliet)
})

scene('XEP-0045 §9.2: bans of domains, of which one address is excepted', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  await sets(romeo, `<item affiliation='member' jid='${nurse.bare}'/>`)
  await nurse.ignoresSoFar()
  await juliet.ignoresSoFar()
  await sets(romeo, `<item affiliation='outcast' jid='${DOMAIN}'><reason>Capulets</reason></item>`)
  await juliet.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='outcast' role='none'><actor nick='romeo'/><reason>Capulets</reason></item>`, codes(301, 110))}</presence>`,
  )
  await nurse.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='outcast' role='none'><actor nick='romeo'/><reason>Capulets</reason></item>`, codes(301))}</presence>`,
  )
  await nurse.hearsNothingMore()
  await isKeptOut(juliet)
  nurse.sends(`<presence type='unavailable' to='${BALL}/nurse'/>`)
  await nurse.ignoresSoFar()
  await enters(nurse)
  await sets(romeo, `<item affiliation='none' jid='${DOMAIN}'/>`)
  await enters(juliet)
})

scene(
  'XEP-0045 §9.1: nobody bans himself, and no admin an owner or admin',
  async ({ romeo, juliet, nurse }) => {
    await gather([romeo, juliet, nurse])
    await sets(
      romeo,
      `<item affiliation='admin' jid='${juliet.bare}'/>`,
      `<item affiliation='admin' jid='${nurse.bare}'/>`,
    )
    await juliet.ignoresSoFar()
    const ban = (actor: Actor) => admin(`<item affiliation='outcast' jid='${actor.bare}'/>`)
    await juliet.isRefused('conflict', 'set', ban(juliet), BALL)
    await juliet.isRefused('not-allowed', 'set', ban(romeo), BALL)
    await juliet.isRefused('not-allowed', 'set', ban(nurse), BALL)
    await romeo.ignoresSoFar()
    await romeo.isRefused('conflict', 'set', ban(romeo), BALL)
    // §9.2: none of several when one of them cannot be.
    await juliet.isRefused(
      'not-allowed',
      'set',
      admin(
        `<item affiliation='outcast' jid='paris@${OTHER_DOMAIN}'/>`,
        `<item affiliation='outcast' jid='${romeo.bare}'/>`,
      ),
      BALL,
    )
    assert.deepEqual(await list(romeo, 'outcast'), [])
    await romeo.hearsNothingMore()
  },
)

scene('XEP-0045 §9.3, §9.4: membership is granted and revoked', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet, nurse])
  const fromJuliet = (item: string, ...numbers: number[]) =>
    `<presence from='${BALL}/juliet'>${x(item, codes(...numbers))}</presence>`
  const item = (affiliation: string, jid: string) =>
    `<item affiliation='${affiliation}' role='participant' jid='${jid}'><actor nick='romeo'/><reason>Because</reason></item>`
  for (const affiliation of ['member', 'none']) {
    romeo.sends(
      `<iq type='set' id='${affiliation}' to='${BALL}'>${admin(`<item affiliation='${affiliation}' jid='${juliet.bare}'><reason>Because</reason></item>`)}</iq>`,
    )
    await romeo.receives(`<iq type='result' id='${affiliation}'/>`)
    await romeo.receives(fromJuliet(item(affiliation, juliet.full)))
    await juliet.receives(fromJuliet(item(affiliation, '{any}'), 110))
    await nurse.receives(fromJuliet(item(affiliation, '{none}')))
  }
  // The same again changes nothing, and nobody hears of it.
  await sets(romeo, `<item affiliation='none' jid='${juliet.bare}'/>`)
  for (const actor of [romeo, juliet, nurse]) await actor.hearsNothingMore()
})

scene('XEP-0045 §10.3 to §10.8: owners make owners and admins, who are moderators by that', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet, nurse])
  const own = (affiliation: string, role: string) =>
    `<presence from='${BALL}/juliet'>${x(`<item affiliation='${affiliation}' role='${role}'><actor nick='romeo'/></item>`, codes(110))}</presence>`
  for (const [affiliation, role] of [
    ['admin', 'moderator'],
    ['owner', 'moderator'],
    ['admin', 'moderator'],
    ['member', 'participant'],
    ['owner', 'moderator'],
    ['none', 'participant'],
  ] as const) {
    await sets(romeo, `<item affiliation='${affiliation}' jid='${juliet.bare}'/>`)
    await juliet.receives(own(affiliation, role))
  }
  await juliet.isRefused('forbidden', 'set', admin(`<item affiliation='admin' jid='${nurse.bare}'/>`), BALL)
})

scene(
  'XEP-0045 §10.4: the last owner stays, also by several items; others may go',
  async ({ romeo, juliet }) => {
    await gather([romeo, juliet])
    const gone = (actor: Actor) => `<item affiliation='none' jid='${actor.bare}'/>`
    await romeo.isRefused('conflict', 'set', admin(gone(romeo)), BALL)
    await sets(romeo, `<item affiliation='owner' jid='${juliet.bare}'/>`)
    await romeo.ignoresSoFar()
    await romeo.isRefused('conflict', 'set', admin(gone(romeo), gone(juliet)), BALL)
    assert.deepEqual(await list(romeo, 'owner'), [romeo.bare, juliet.bare])
    await sets(romeo, gone(romeo))
    await romeo.receives(
      `<presence from='${BALL}/romeo'>${x(`<item affiliation='none' role='participant'><actor nick='romeo'/></item>`, codes(110))}</presence>`,
    )
    await juliet.ignoresSoFar()
    await juliet.isRefused('conflict', 'set', admin(gone(juliet)), BALL)
    // One goes and another comes in one request: there is always one.
    await sets(juliet, gone(juliet), `<item affiliation='owner' jid='${romeo.bare}'/>`)
  },
)

scene(
  'XEP-0045 §10.3, §10.6: changes of who is not in are told by the room to who sees addresses',
  async (cast) => {
    const { romeo, juliet, nurse } = cast
    await gather([romeo, juliet])
    await sets(romeo, `<item affiliation='admin' jid='${nurse.bare}'><reason>Wise</reason></item>`)
    await romeo.receives(
      `<message type='{none}' from='${BALL}'>${x(`<item affiliation='admin' role='none' jid='${nurse.bare}'><actor nick='romeo'/><reason>Wise</reason></item>`)}</message>`,
    )
    await romeo.hearsNothingMore()
    // The room is semi-anonymous.
    await juliet.hearsNothingMore()
    await enters(nurse)
    await juliet.receives(
      `<presence from='${BALL}/nurse'>${x(`<item affiliation='admin' role='moderator' jid='{none}'/>`)}</presence>`,
    )
  },
)

scene('XEP-0045 §9.5, §10.5, §10.8: who may see which list', async ({ romeo, juliet, nurse, tybalt }) => {
  await gather([romeo, juliet, nurse])
  await sets(
    romeo,
    `<item affiliation='admin' jid='${juliet.bare}'/>`,
    `<item affiliation='member' jid='${nurse.bare}' nick='Angelica'/>`,
    `<item affiliation='outcast' jid='paris@${OTHER_DOMAIN}'/>`,
  )
  await tybalt.connects()
  for (const actor of [romeo, juliet, nurse]) await actor.ignoresSoFar()
  const lists = ['owner', 'admin', 'member', 'outcast'] as const
  const seen: [Actor, readonly string[]][] = [
    [romeo, lists],
    // §10.5, §10.8: in semi-anonymous rooms these are for owners.
    [juliet, ['member', 'outcast']],
    // §5.2.1: members are not to see addresses there.
    [nurse, []],
    [tybalt, []],
  ]
  for (const [actor, mine] of seen)
    for (const one of lists) {
      if (mine.includes(one)) assert.equal((await list(actor, one)).length, 1)
      else await actor.isRefused('forbidden', 'get', admin(`<item affiliation='${one}'/>`), BALL)
    }
  assert.deepEqual(await list(romeo, 'member'), [`${nurse.bare} Angelica`])
  await romeo.isRefused('forbidden', 'get', admin(`<item affiliation='none'/>`), BALL)
})

scene('XEP-0045 §9.3, §9.5, §7.12: a nick that is reserved with a membership', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet])
  await sets(romeo, `<item affiliation='member' jid='${nurse.bare}' nick='Angelica'/>`)
  await juliet.ignoresSoFar()
  juliet.sends(`<presence id='rename' to='${BALL}/ANGELICA'/>`)
  await juliet.receives(
    `<presence type='error' id='rename' from='${BALL}/ANGELICA'>${refusal('conflict', 'cancel')}</presence>`,
  )
  juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
  await juliet.ignoresSoFar()
  juliet.sends(entrance(juliet, { nick: 'Angelica' }))
  await juliet.receives(
    `<presence type='error' from='${BALL}/Angelica'>${refusal('conflict', 'cancel')}</presence>`,
  )
  await enters(nurse, { nick: 'Angelica' })
  await romeo.ignoresSoFar()
  // Neither reserved by another, nor in use by another.
  for (const nick of ['angelica', 'romeo'])
    await romeo.isRefused(
      'conflict',
      'set',
      admin(`<item affiliation='member' jid='${juliet.bare}' nick='${nick}'/>`),
      BALL,
    )
  await sets(romeo, `<item affiliation='member' jid='${nurse.bare}' nick=''/>`)
  nurse.sends(`<presence type='unavailable' to='${BALL}/Angelica'/>`)
  await nurse.settled()
  await juliet.ignoresSoFar()
  await enters(juliet, { nick: 'Angelica' })
  // §9.1: with a ban the nick is free.
  await sets(romeo, `<item affiliation='member' jid='${nurse.bare}' nick='nurse'/>`)
  await sets(romeo, `<item affiliation='outcast' jid='${nurse.bare}'/>`)
  await romeo.ignoresSoFar()
  await sets(romeo, `<item affiliation='member' jid='tybalt@${DOMAIN}' nick='nurse'/>`)
})

scene(
  'modules.rooms.affiliations: the lists of a room hold so many, then what they hold can be changed',
  async ({ romeo, stage }) => {
    await gather([romeo])
    const members = (from: number, to: number, affiliation = 'member') =>
      Array.from(
        { length: to - from },
        (_, i) => `<item affiliation='${affiliation}' jid='guest${from + i}@${DOMAIN}'/>`,
      )
    await sets(romeo, ...members(0, 9))
    await romeo.ignoresSoFar()
    const hits = () => stage.metrics.valueOf('limit_hits_total', 'room_affiliations')
    assert.equal(hits(), 0)
    await romeo.isRefused('resource-constraint', 'set', admin(...members(9, 10)), BALL)
    await romeo.isRefused('resource-constraint', 'set', admin(...members(10, 210)), BALL)
    assert.equal(hits(), 2)
    assert.equal((await list(romeo, 'member')).length, 9)
    await sets(romeo, ...members(0, 9, 'outcast'))
    await sets(romeo, ...members(0, 1, 'none'))
    await romeo.ignoresSoFar()
    await sets(romeo, ...members(9, 10))
  },
  { set: ['modules.rooms.affiliations=10'] },
)

scene('many items in one request are refused', async ({ romeo }) => {
  await gather([romeo])
  const items = Array.from(
    { length: 201 },
    (_, i) => `<item affiliation='member' jid='guest${i}@${DOMAIN}'/>`,
  )
  await romeo.isRefused('policy-violation', 'set', admin(...items), BALL)
})
