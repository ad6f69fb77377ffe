/** The archive beside everything else: offline delivery, what is sent again, acknowledgements, retractions. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { archiveOf, messageOf } from '../support/archive.js'
import { bind, logsIn } from '../support/modern.js'
import { scene, type Stage } from '../support/stage.js'
import type { Taken } from '../../src/storage/archive.js'
import { StorageUnavailable } from '../../src/storage/errors.js'

const SM = 'urn:xmpp:sm:3'
const chat = (to: string, body: string, more = '') =>
  `<message to='${to}' type='chat' id='${body}'><body>${body}</body>${more}</message>`
const named = (to: string, body: string) =>
  chat(to, body, `<origin-id xmlns='urn:xmpp:sid:0' id='origin of ${body}'/>`)
const unavailable = `<error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`

/** The messages that come, by id, until nothing more comes; each has been kept for the account meanwhile. */
async function keptFor(actor: Actor): Promise<string[]> {
  await actor.stage.settled()
  const ids: string[] = []
  while (actor.waiting > 0) {
    const stanza = await actor.next()
    if (stanza.local !== 'message') continue
    assert.ok(stanza.child('delay', 'urn:xmpp:delay'))
    ids.push(stanza.attrs['id']!)
  }
  return ids
}

/** Says so many things to somebody who is not there. */
async function says(sender: Actor, to: Actor, bodies: readonly string[], stage: Stage): Promise<void> {
  await stage.account(to.local, to.domain, 'wherefore')
  for (const body of bodies) sender.sends(chat(to.bare, body))
  await sender.settled()
}

scene(
  'XEP-0313 §3.5: what was kept offline has the id that it has in the archive, and is there once',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await says(romeo, juliet, ['a', 'b'], stage)
    await juliet.online()
    const heard = [await juliet.next(), await juliet.next()]
    const { ids, bodies } = await archiveOf(juliet)
    assert.deepEqual(bodies, ['a', 'b'])
    assert.deepEqual(
      heard.map((message) => message.childrenOf('stanza-id').map(({ attrs }) => attrs['id'])),
      ids.map((id) => [id]),
    )
  },
)

scene(
  'XEP-0313 §6.1.1: who has caught up from the archive before its presence gets nothing twice',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await says(romeo, juliet, ['a', 'b', 'c'], stage)
    await juliet.connects()
    assert.deepEqual((await archiveOf(juliet)).bodies, ['a', 'b', 'c'])
    // What the archive does not have comes all the same, and what it gets meanwhile.
    romeo.sends(chat(juliet.bare, 'off the record', `<no-permanent-store xmlns='urn:xmpp:hints'/>`))
    romeo.sends(chat(juliet.bare, 'd'))
    await romeo.settled()
    juliet.sends('<presence/>')
    assert.deepEqual(await keptFor(juliet), ['off the record', 'd'])
    assert.deepEqual((await archiveOf(juliet)).bodies, ['a', 'b', 'c', 'd'])
    // They are gone from the offline store: nobody else gets them.
    await juliet.leaves()
    await juliet.online()
    assert.deepEqual(await keptFor(juliet), [])
  },
)

scene(
  'XEP-0313 §6.1.1: what comes behind the last page and before the presence is delivered; behind an earlier one it is found',
  async ({ romeo, juliet, juliet$phone, juliet$tablet, stage }) => {
    await romeo.online()
    await says(romeo, juliet, ['a', 'b'], stage)
    await juliet.connects()
    assert.deepEqual((await archiveOf(juliet, { set: `<max>1</max>` })).bodies, ['a'])
    romeo.sends(chat(juliet.bare, 'c'))
    await romeo.settled()
    juliet.sends('<presence/>')
    assert.deepEqual(await keptFor(juliet), [])
    await juliet.leaves()
    await juliet$phone.connects()
    assert.deepEqual((await archiveOf(juliet$phone, { set: `<max>2</max><before/>` })).bodies, ['b', 'c'])
    romeo.sends(chat(juliet.bare, 'd'))
    await romeo.settled()
    juliet$phone.sends('<presence/>')
    assert.deepEqual(await keptFor(juliet$phone), ['d'])
    await juliet$phone.leaves()
    await juliet$tablet.connects()
    const { last } = await archiveOf(juliet$tablet, { set: `<max>3</max>` })
    assert.deepEqual((await archiveOf(juliet$tablet, { set: `<after>${last}</after>` })).bodies, ['d'])
    romeo.sends(chat(juliet.bare, 'e'))
    await romeo.settled()
    juliet$tablet.sends('<presence/>')
    assert.deepEqual(await keptFor(juliet$tablet), ['e'])
  },
)

scene('XEP-0313 §6.1.1: who asks for something else has not caught up', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  const bodies = ['a', 'b', 'c', 'd']
  for (const askedOf of [
    () => ({ form: { with: romeo.bare } }),
    () => ({ form: { end: '2100-01-01T00:00:00Z' } }),
    (ids: readonly string[]) => ({ form: { 'before-id': ids[3]! } }),
    (ids: readonly string[]) => ({ form: { ids } }),
    () => ({ form: { '{urn:xmpp:fulltext:0}fulltext': 'a' } }),
    () => ({ set: '<max>0</max>' }),
    () => ({ set: '<index>0</index>' }),
    (ids: readonly string[]) => ({ set: `<before>${ids[2]}</before>` }),
  ]) {
    await says(romeo, juliet, bodies, stage)
    const asked = askedOf(await newestFour(juliet))
    await juliet.connects()
    await archiveOf(juliet, asked)
    juliet.sends('<presence/>')
    assert.deepEqual(await keptFor(juliet), bodies, JSON.stringify(asked))
    await juliet.leaves()
  }
})

/** The newest four in its archive, read by a device that takes nothing else. */
async function newestFour(of: Actor): Promise<readonly string[]> {
  const reader = of.stage.twin(of)
  await reader.connects()
  const { ids } = await archiveOf(reader, { set: '<max>4</max><before/>' })
  await reader.vanishes()
  return ids
}

scene(
  'XEP-0313 §6.1.1: from where on it catches up is from where on it needs nothing else',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    for (const [asked, missed] of [
      [(ids: readonly string[]) => ({ set: `<max>1</max><after>${ids[1]}</after>` }), ['a', 'b']],
      [(ids: readonly string[]) => ({ form: { 'after-id': ids[2]! } }), ['a', 'b', 'c']],
      // Backwards it may stop anywhere: only what it has seen counts.
      [() => ({ set: '<max>2</max><before/>' }), ['a', 'b']],
      [() => ({ set: '<max>4</max><before/>' }), []],
    ] as const) {
      await says(romeo, juliet, ['a', 'b', 'c', 'd'], stage)
      const ids = await newestFour(juliet)
      await juliet.connects()
      await archiveOf(juliet, asked(ids))
      juliet.sends('<presence/>')
      // The archive has those of earlier rounds as well: the last page is never all of it after the first round.
      assert.deepEqual(await keptFor(juliet), missed)
      await juliet.leaves()
    }
  },
)

scene('XEP-0313 §6.1.1: a question after its presence changes nothing', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await says(romeo, juliet, ['a'], stage)
  await juliet.online('<presence><priority>-1</priority></presence>')
  await juliet.ignoresSoFar()
  assert.deepEqual((await archiveOf(juliet)).bodies, ['a'])
  juliet.sends('<presence/>')
  // With a negative priority it takes no messages yet: this was catching up.
  assert.deepEqual(await keptFor(juliet), [])
  await juliet.leaves()
  await juliet.online()
  await archiveOf(juliet)
  await juliet.leaves()
  await says(romeo, juliet, ['b'], stage)
  await juliet.online()
  assert.deepEqual(await keptFor(juliet), ['b'])
})

scene(
  'XEP-0386 §3.2: who binds so is told what the archive is, and gets nothing that is in it',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await says(romeo, juliet, ['a', 'b'], stage)
    romeo.sends(chat(juliet.bare, 'off the record', `<no-permanent-store xmlns='urn:xmpp:hints'/>`))
    await romeo.settled()
    const success = await logsIn(juliet, bind())
    const metadata = success.child('bound', 'urn:xmpp:bind:0')?.child('metadata', 'urn:xmpp:mam:2')
    // What comes before its presence is not part of what it was told of.
    romeo.sends(chat(juliet.bare, 'c'))
    await romeo.settled()
    juliet.sends('<presence/>')
    assert.deepEqual(await keptFor(juliet), ['off the record', 'c'])
    const { ids } = await archiveOf(juliet)
    assert.deepEqual(
      metadata?.childrenOf().map(({ local, attrs }) => [local, attrs['id']]),
      [
        ['start', ids[0]],
        ['end', ids[1]],
      ],
    )
  },
)

scene(
  'P3: what a client sends again is archived once, and comes with the same id',
  async ({ romeo, romeo$phone, juliet, nurse }) => {
    for (const actor of [romeo, juliet, nurse]) await actor.online()
    romeo.sends(named(juliet.bare, 'once'))
    const first = await juliet.next()
    await romeo$phone.online()
    romeo$phone.sends(named(juliet.bare, 'once'))
    const again = await juliet.next()
    assert.equal(again.attrs['from'], romeo$phone.full)
    assert.deepEqual(again.child('stanza-id')?.attrs, first.child('stanza-id')?.attrs)
    // The same name for another, and from another.
    romeo.sends(named(nurse.bare, 'once'))
    nurse.sends(named(juliet.bare, 'once'))
    const others = [await nurse.next(), await juliet.next()]
    assert.notEqual(others[1]!.child('stanza-id')?.attrs['id'], first.child('stanza-id')?.attrs['id'])
    await romeo.settled()
    assert.deepEqual((await archiveOf(juliet)).bodies, ['once', 'once'])
    await romeo.ignoresSoFar()
    assert.deepEqual(
      (await archiveOf(romeo)).results.map((result) => messageOf(result)?.attrs['to']),
      [juliet.bare, nurse.bare],
    )
  },
)

scene('P3: what is sent again and was kept offline is kept once', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await stage.account('juliet', juliet.domain, 'wherefore')
  for (let i = 0; i < 3; i++) romeo.sends(named(juliet.bare, 'once'))
  romeo.sends(named(juliet.bare, 'another'))
  await romeo.settled()
  await juliet.online()
  assert.deepEqual(await keptFor(juliet), ['once', 'another'])
  await romeo.hearsNothingMore()
})

scene(
  'P3: a day later the same name is another message',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(named(juliet.bare, 'x'))
    await juliet.next()
    stage.clock.advance(24 * 60 * 60 * 1000)
    romeo.sends(named(juliet.bare, 'x'))
    await juliet.next()
    assert.deepEqual((await archiveOf(juliet)).bodies, ['x', 'x'])
  },
  { set: ['limits.idle_ping=off'] },
)

scene(
  'P1: a message is acknowledged when it is in both archives; it is delivered before',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    romeo.raw(`<enable xmlns='${SM}'/>`)
    await romeo.receives(`<enabled xmlns='${SM}'/>`)
    let commit = (): void => undefined
    delayCommits(stage, new Promise<void>((resolve) => (commit = resolve)))
    romeo.sends(chat(juliet.bare, 'a'))
    romeo.sends('<presence/>')
    assert.equal((await juliet.next()).attrs['id'], 'a')
    romeo.raw(`<r xmlns='${SM}'/>`)
    await romeo.receives(`<presence/>`)
    await romeo.receives(`<a xmlns='${SM}' h='0'/>`)
    commit()
    await romeo.receives(`<a xmlns='${SM}' h='2'/>`)
  },
)

scene(
  'P1: when it cannot be written the sender is told, and it is never acknowledged',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    romeo.raw(`<enable xmlns='${SM}'/>`)
    await romeo.receives(`<enabled xmlns='${SM}'/>`)
    let fail: (error: Error) => void = () => undefined
    delayCommits(stage, new Promise<void>((_, reject) => (fail = reject)))
    romeo.sends(chat(juliet.bare, 'a'))
    assert.equal((await juliet.next()).attrs['id'], 'a')
    fail(new StorageUnavailable('away'))
    await romeo.receives(`<message type='error' id='a' from='${juliet.bare}'>${unavailable}</message>`)
    await romeo.isDisconnected('internal-server-error')
    assert.ok(!romeo.heard.includes(`h="1"`) && !romeo.heard.includes(`h='1'`))
  },
)

scene(
  'P8: while it is known that nothing can be written, messages are refused and not delivered',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const { archive } = stage.stores
    Object.defineProperty(archive, 'available', { value: false, configurable: true })
    romeo.sends(chat(juliet.bare, 'a'))
    await romeo.receives(`<message type='error' id='a' from='${juliet.bare}'>${unavailable}</message>`)
    // What is not to be kept goes on, and so does everything when the store is back.
    romeo.sends(chat(juliet.bare, 'b', `<no-store xmlns='urn:xmpp:hints'/>`))
    assert.equal((await juliet.next()).attrs['id'], 'b')
    Object.defineProperty(archive, 'available', { value: true, configurable: true })
    romeo.sends(chat(juliet.bare, 'c'))
    assert.equal((await juliet.next()).attrs['id'], 'c')
    assert.deepEqual((await archiveOf(juliet)).bodies, ['c'])
  },
)

/** From now on nothing is durable before `committed` says so. */
function delayCommits(stage: Stage, committed: Promise<void>): void {
  const { archive } = stage.stores
  const add = archive.add.bind(archive)
  archive.add = (...entry: Parameters<typeof add>): Taken => ({ ...add(...entry), written: committed })
  committed.catch(() => undefined)
}

scene(
  'XEP-0424 §4: what is retracted is taken out of both archives, with its corrections; the rest stays',
  async ({ romeo, juliet, nurse, stage }) => {
    for (const actor of [romeo, juliet, nurse]) await actor.online()
    romeo.sends(chat(juliet.full, 'wrong'))
    romeo.sends(
      `<message to='${juliet.full}' type='chat' id='better'><body>corrected</body><replace xmlns='urn:xmpp:message-correct:0' id='wrong'/></message>`,
    )
    romeo.sends(chat(juliet.full, 'right'))
    await romeo.settled()
    juliet.sends(chat(romeo.full, 'wrong'))
    nurse.sends(chat(juliet.full, 'wrong'))
    await juliet.settled()
    await nurse.settled()
    stage.clock.advance(1000)
    const at = new Date(stage.clock.now()).toISOString()
    const retract = (to: string, id: string, target: string) =>
      `<message to='${to}' type='chat' id='${id}'><retract xmlns='urn:xmpp:message-retract:1' id='${target}'/><store xmlns='urn:xmpp:hints'/></message>`
    romeo.sends(retract(juliet.bare, 'r', 'wrong'))
    await romeo.settled()
    // Of others, and of what is not there: nothing happens.
    nurse.sends(retract(juliet.bare, 's', 'right'))
    nurse.sends(retract(juliet.bare, 't', 'nothing'))
    await nurse.settled()
    for (const actor of [romeo, juliet]) {
      await actor.ignoresSoFar()
      const { results } = await archiveOf(actor, { form: { with: (actor === romeo ? juliet : romeo).bare } })
      const told = results.map((result) => {
        const message = messageOf(result)!
        const content = message.childrenOf().map((child) => {
          const { id, stamp } = child.attrs
          return [child.local, child.text, id, stamp].filter((part) => part).join(' ')
        })
        return [message.attrs['from'], message.attrs['id'], ...content]
      })
      assert.deepEqual(told, [
        [romeo.full, 'wrong', `retracted r ${at}`],
        [romeo.full, 'better', `retracted r ${at}`],
        [romeo.full, 'right', 'body right'],
        [juliet.full, 'wrong', 'body wrong'],
        [romeo.full, 'r', 'retract wrong', 'store'],
      ])
    }
    const { bodies } = await archiveOf(juliet, { form: { with: nurse.bare } })
    assert.deepEqual(bodies, ['wrong', '', ''])
  },
)

scene(
  'limits §2: what cannot be read any more is told as a message without content',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    for (const body of ['a', 'b', 'c', 'd', 'e']) romeo.sends(chat(juliet.bare, body))
    await romeo.settled()
    await juliet.ignoresSoFar()
    const { ids } = await archiveOf(juliet)
    const { archive } = stage.stores
    const owner = (await stage.stores.accounts.get(juliet.domain, 'juliet'))!.id
    const deep = `<message xmlns='jabber:client' from='a@b'>${'<x>'.repeat(500)}${'</x>'.repeat(500)}</message>`
    const large = `<message xmlns='jabber:client' from='a@b'><body>${'x'.repeat(1 << 21)}</body></message>`
    for (const [i, text] of ['<message><body>', '<presence xmlns="jabber:client"/>', deep, large].entries())
      await archive.replace(owner, ids[i]!, text)
    const { bodies, results, complete } = await archiveOf(juliet)
    // The large one alone is more than a page may have: it begins the next one.
    assert.deepEqual(bodies, ['', '', ''])
    assert.ok(results.every((result) => messageOf(result)?.children.length === 0))
    assert.equal(complete, false)
    const rest = await archiveOf(juliet, { set: `<after>${ids[2]}</after>` })
    assert.deepEqual(rest.bodies, [''])
    assert.deepEqual((await archiveOf(juliet, { set: `<after>${ids[3]}</after>` })).bodies, ['e'])
    assert.equal(stage.transcript().includes('archive.unreadable'), true)
  },
)

for (const [why, set, happens] of [
  ['while there is no archive', ['modules.archive.enabled=false'], async () => undefined],
  [
    'of who wants none',
    [],
    async (juliet: Actor) => {
      await juliet.online()
      await juliet.sets(`<prefs xmlns='urn:xmpp:mam:2' default='never'/>`)
      await juliet.leaves()
    },
  ],
] as const)
  scene(
    `XEP-0386 §3.2: what is not archived is delivered: ${why}`,
    async ({ romeo, juliet, stage }) => {
      await happens(juliet)
      await romeo.online()
      await says(romeo, juliet, ['a', 'b'], stage)
      await logsIn(juliet, bind())
      juliet.sends('<presence/>')
      assert.deepEqual(await keptFor(juliet), ['a', 'b'])
    },
    { set },
  )

for (const [why, set, happens] of [
  [
    'too old to be shown',
    ['modules.archive.keep=1d', 'limits.idle_ping=off'],
    async ({ clock }: Stage) => clock.advance(3 * 86_400_000),
  ],
  [
    'purged',
    [],
    async ({ stores, domain }: Stage) => {
      const account = await stores.accounts.get(domain, 'juliet')
      await stores.archive.remove(account!.id, undefined)
    },
  ],
] as const)
  scene(
    `XEP-0386 §3.2: what is in the archive no more is delivered: ${why}`,
    async ({ romeo, juliet, stage }) => {
      await romeo.online()
      await says(romeo, juliet, ['a', 'b'], stage)
      await happens(stage)
      await logsIn(juliet, bind())
      juliet.sends('<presence/>')
      assert.deepEqual(await keptFor(juliet), ['a', 'b'])
    },
    { set },
  )
