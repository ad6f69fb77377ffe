// XEP-0463: versions of the affiliations of a room.
import assert from 'node:assert/strict'
import { BALL, codes, configures, entrance, gather, x } from '../../support/rooms.js'
import { DOMAIN, scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import type { Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

const asking = (since?: string) =>
  `<mav xmlns='${NS.mucAffiliations}'${since === undefined ? '' : ` since='${since}'`}/>`

const mavOf = (stanza: Element) => stanza.child('x', NS.mucUser)?.child('mav', NS.mucAffiliations)?.attrs

/** The items of a stanza: address and affiliation. */
function itemsOf(stanza: Element): Record<string, string | undefined> {
  const items = stanza.child('x', NS.mucUser)?.childrenOf('item') ?? []
  return Object.fromEntries(items.map(({ attrs }) => [attrs['jid'], attrs['affiliation']]))
}

interface Told {
  /** The messages before all presence. */
  readonly messages: readonly Element[]
  /** What the own presence says. */
  readonly version: string | undefined
}

async function comesIn(actor: Actor, since?: string): Promise<Told> {
  if (!actor.isConnected) await actor.connects()
  actor.sends(entrance(actor, { x: asking(since) }))
  const heard: Element[] = []
  while (heard.at(-1)?.child('subject') === undefined) heard.push(await actor.next('the way in'))
  const first = heard.findIndex(({ local }) => local === 'presence')
  const messages = heard.slice(0, first)
  assert.ok(messages.every(({ local }) => local === 'message'))
  assert.ok(
    heard.slice(first).every((stanza) => stanza.local === 'presence' || itemsOf(stanza)['jid'] === undefined),
  )
  const own = heard.find((stanza) =>
    stanza
      .child('x', NS.mucUser)
      ?.childrenOf('status')
      .some(({ attrs }) => attrs['code'] === '110'),
  )!
  return { messages, version: mavOf(own)?.['until'] }
}

async function goes(actor: Actor): Promise<void> {
  actor.sends(`<presence type='unavailable' to='${BALL}/${actor.local}'/>`)
  await actor.settled()
  await actor.ignoresSoFar()
}

async function sets(actor: Actor, ...items: [string, string][]): Promise<void> {
  const xml = items.map(([jid, affiliation]) => `<item jid='${jid}' affiliation='${affiliation}'/>`).join('')
  const reply = await actor.sets(`<query xmlns='${NS.mucAdmin}'>${xml}</query>`, BALL)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
}

const guest = (i: number) => `guest${i}@${DOMAIN}`

scene('XEP-0463 §5.2.1: everything, then what has changed, then nothing', async ({ romeo, juliet }) => {
  await gather([juliet])
  await sets(juliet, [romeo.bare, 'owner'], [guest(1), 'member'], [guest(2), 'outcast'])
  await juliet.ignoresSoFar()
  const first = await comesIn(romeo)
  assert.equal(first.messages.length, 1)
  const [all] = first.messages
  assert.deepEqual(itemsOf(all!), {
    [juliet.bare]: 'owner',
    [romeo.bare]: 'owner',
    [guest(1)]: 'member',
    [guest(2)]: 'outcast',
  })
  assert.deepEqual(mavOf(all!)?.['until'], first.version)
  assert.equal(mavOf(all!)?.['since'], undefined)
  assert.equal(all!.attrs['from'], BALL)
  await goes(romeo)
  // Nothing is new.
  const same = await comesIn(romeo, first.version)
  assert.deepEqual(same, { messages: [], version: first.version })
  await goes(romeo)
  await sets(juliet, [guest(1), 'none'], [guest(3), 'admin'])
  await sets(juliet, [guest(3), 'member'])
  const later = await comesIn(romeo, first.version)
  assert.equal(later.messages.length, 1)
  assert.deepEqual(itemsOf(later.messages[0]!), { [guest(1)]: 'none', [guest(3)]: 'member' })
  assert.deepEqual(
    { ...mavOf(later.messages[0]!) },
    { ...mavOf(later.messages[0]!), since: first.version, until: later.version },
  )
  assert.notEqual(later.version, first.version)
})

scene(
  'XEP-0463 §5.2.2: each change has its step, also of several in one request',
  async ({ romeo, juliet }) => {
    await gather([juliet, romeo])
    await sets(juliet, [romeo.bare, 'owner'])
    await romeo.ignoresSoFar()
    await goes(romeo)
    const { version } = await comesIn(romeo)
    await sets(juliet, [guest(1), 'member'], [romeo.bare, 'admin'], [guest(2), 'outcast'])
    let last = version
    for (const _ of [1, 2, 3]) {
      const stanza = await romeo.next('a change')
      assert.equal(mavOf(stanza)?.['since'], last, stanza.toString())
      last = mavOf(stanza)?.['until']
      assert.ok(last)
    }
    // A version between is known: what came after it is told, perhaps with what came before.
    await goes(romeo)
    await sets(juliet, [romeo.bare, 'owner'])
    const { messages } = await comesIn(romeo, last)
    assert.deepEqual(messages.map(itemsOf), [{ [romeo.bare]: 'owner' }])
  },
)

scene('XEP-0463 §5.2.1: a version that the room does not know is answered with everything', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([juliet])
  await sets(juliet, [romeo.bare, 'owner'])
  await juliet.ignoresSoFar()
  const { version } = await comesIn(romeo)
  const number = version!.split('.')[0]!
  for (const unknown of ['', 'nonsense', `${number}.0000000000`, `zzz.${version!.split('.')[1]}`]) {
    await goes(romeo)
    const { messages } = await comesIn(romeo, unknown)
    assert.equal(messages.length, 1)
    assert.equal(mavOf(messages[0]!)?.['since'], undefined)
    assert.deepEqual(itemsOf(messages[0]!), { [juliet.bare]: 'owner', [romeo.bare]: 'owner' })
  }
  // §4
  await nurse.connects()
  const info = await nurse.gets(`<query xmlns='${NS.discoInfo}'/>`, BALL)
  assert.ok(
    info
      .child('query')
      ?.childrenOf('feature')
      .some(({ attrs }) => attrs['var'] === NS.mucAffiliations),
  )
})

scene(
  'XEP-0463 §5.2.3: who may not see the lists is told so, and comes in',
  async ({ romeo, juliet, nurse }) => {
    await gather([romeo])
    await sets(romeo, [juliet.bare, 'member'])
    for (const actor of [juliet, nurse]) {
      const { messages } = await comesIn(actor)
      assert.equal(messages.length, 1)
      assert.equal(messages[0]!.attrs['type'], 'error')
      assert.ok(messages[0]!.child('error')?.child('forbidden'))
      await goes(actor)
    }
    // In a room in which everybody sees addresses members see them; of outcasts admins alone.
    await configures(romeo, { whois: 'anyone' })
    await sets(romeo, [guest(1), 'outcast'], [guest(2), 'admin'])
    const { messages, version } = await comesIn(juliet)
    assert.deepEqual(itemsOf(messages[0]!), {
      [romeo.bare]: 'owner',
      [juliet.bare]: 'member',
      [guest(2)]: 'admin',
    })
    await goes(juliet)
    await sets(romeo, [guest(2), 'outcast'])
    const later = await comesIn(juliet, version)
    assert.deepEqual(later.messages.map(itemsOf), [{ [guest(2)]: 'none' }])
  },
)

scene('XEP-0463 §5.2.1: a long list comes in messages that join up', async ({ romeo, juliet }) => {
  await gather([juliet])
  await sets(juliet, [romeo.bare, 'owner'])
  const members = Array.from({ length: 520 }, (_, i): [string, string] => [guest(i), 'member'])
  for (let i = 0; i < members.length; i += 65) await sets(juliet, ...members.slice(i, i + 65))
  await juliet.ignoresSoFar()
  const { messages, version } = await comesIn(romeo)
  assert.equal(messages.length, 2)
  const [one, two] = messages.map((message) => ({ ...mavOf(message) }))
  assert.equal(one!['since'], undefined)
  assert.equal(two!['since'], one!['until'])
  assert.equal(two!['until'], version)
  assert.equal(Object.keys(Object.assign({}, ...messages.map(itemsOf)) as object).length, 522)
  // Who got no further than the first begins anew.
  await goes(romeo)
  const again = await comesIn(romeo, one!['until'])
  assert.equal(again.messages.length, 2)
  assert.equal(mavOf(again.messages[0]!)?.['since'], undefined)
})

scene(
  'XEP-0463 §5.2.2: steps join up whoever they are about, seen or not',
  async ({ romeo, juliet, nurse }) => {
    await gather([juliet, nurse])
    await sets(juliet, [romeo.bare, 'owner'])
    await configures(juliet, { presencebroadcast: 'moderator' })
    await juliet.ignoresSoFar()
    const { version } = await comesIn(romeo)
    await nurse.ignoresSoFar()
    // Not shown, not in, a nick only, a domain with somebody who is in.
    await sets(juliet, [nurse.bare, 'member'])
    await sets(juliet, [guest(1), 'member'])
    const nicked = `<item jid='${guest(1)}' affiliation='member' nick='Guest'/>`
    await juliet.sets(`<query xmlns='${NS.mucAdmin}'>${nicked}</query>`, BALL)
    await sets(juliet, [nurse.bare, 'none'])
    await sets(juliet, [DOMAIN, 'outcast'])
    let last = version
    const told: (string | undefined)[][] = []
    while (told.length < 5) {
      const stanza = await romeo.next('a change')
      const mark = mavOf(stanza)
      if (!mark) continue
      assert.equal(mark['since'], last, stanza.toString())
      last = mark['until']
      told.push([stanza.local, ...Object.entries(itemsOf(stanza)).flat()])
    }
    assert.deepEqual(told, [
      ['message', nurse.bare, 'member'],
      ['message', guest(1), 'member'],
      ['message', guest(1), 'member'],
      ['message', nurse.bare, 'none'],
      ['message', DOMAIN, 'outcast'],
    ])
    await nurse.receives(
      `<presence from='${BALL}/nurse'>${x('<item affiliation="member"><actor/></item>', codes(110))}</presence>`,
    )
    await romeo.hearsNothingMore()
  },
)
