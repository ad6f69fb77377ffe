// Rosters on the store in memory: requests and pushes (RFC 6121 §2), one writer at a time, and what stays in memory.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LimitHits } from '../../../src/base/limit-hits.js'
import { Metrics } from '../../../src/base/metrics.js'
import { CountingRandom } from '../../../src/base/random.js'
import { readRosterSet } from '../../../src/session/roster-query.js'
import {
  defaultRosterLimits,
  Roster,
  type ContactChange,
  type RosterLimits,
  type RosterRequest,
} from '../../../src/session/roster.js'
import { Session } from '../../../src/session/session.js'
import { Sessions } from '../../../src/session/sessions.js'
import { StanzaError, type StanzaCondition } from '../../../src/stanza/errors.js'
import { Jid } from '../../../src/stanza/jid.js'
import { Stanza } from '../../../src/stanza/stanza.js'
import { memoryStores } from '../../../src/storage/memory.js'
import type { RosterStore } from '../../../src/storage/rosters.js'
import type { Stream } from '../../../src/stream/stream.js'
import { el, type Element } from '../../../src/xml/element.js'
import { parseElement } from '../../../src/xml/parser.js'

const juliet = Jid.parse('juliet@example.com')
const romeo = Jid.parse('romeo@example.net')
const nurse = Jid.parse('nurse@example.com')

type Limits = Partial<RosterLimits> & { items?: number }

/** A host with nothing but rosters, and what it sent. */
class Desk {
  readonly sessions = new Sessions()
  readonly random = new CountingRandom()
  readonly metrics = new Metrics()
  readonly sent: Stanza[] = []
  readonly roster: Roster
  readonly stores = memoryStores()

  constructor({ items = 1_000, ...limits }: Limits = {}, wrap = (store: RosterStore): RosterStore => store) {
    this.roster = new Roster(this, wrap(this.stores.rosters), () => items, {
      ...defaultRosterLimits,
      ...limits,
    })
  }

  readonly hits = new LimitHits(new Metrics())
  counter(name: string, help: string) {
    return this.metrics.counter(name, help)
  }

  get accounts() {
    return this.stores.accounts
  }

  send(stanza: Stanza): void {
    this.sent.push(stanza)
  }

  /** What a contact of ours takes to hear of it. */
  way: void | Promise<void> = undefined
  sendThrough(stanza: Stanza): void | Promise<void> {
    this.send(stanza)
    return this.way
  }

  /** Contacts that are told to have changed, with their subscriptions before and now. */
  readonly told: string[] = []
  tell(_event: 'contactChanged', { account, before, now }: ContactChange): void {
    const states = `${before.subscription} ${now?.subscription ?? 'gone'}`
    this.told.push(`${account.toString()} ${before.jid.toString()} ${states}`)
  }

  async account(jid: Jid): Promise<void> {
    await this.accounts.create(jid.domain, jid.local, {}, 0)
  }

  /** A bound resource and what it hears. */
  resource(jid: string, facts: { interested?: boolean; available?: boolean } = {}) {
    const heard: Element[] = []
    const stream = { send: (xml: string) => heard.push(parseElement(xml)) } as unknown as Stream
    const host = {
      address: Jid.of('', 'capulet.example'),
      now: () => 0,
      leaving: (stanza: Stanza) => stanza,
      queued: () => undefined,
      over: () => undefined,
    }
    const session = new Session(Jid.parse(jid), 1, stream, host, 0, 'PLAIN')
    this.sessions.add(session)
    session.interested = facts.interested ?? false
    if (facts.available) {
      session.presence = Stanza.of({ kind: 'presence', from: session.jid })
      this.sessions.reorder(session)
    }
    return { session, heard }
  }

  set(owner: Jid, item: Element): Promise<undefined> {
    return this.roster.set({
      from: owner,
      query: el('query', 'jabber:iq:roster', {}, item),
      session: undefined,
    })
  }

  get(owner: Jid, ver?: string, session?: Session): Promise<Element | undefined> {
    return this.roster.get({ from: owner, query: el('query', 'jabber:iq:roster', { ver }), session })
  }
}

const item = (attrs: Record<string, string>, ...groups: string[]) =>
  el('item', 'jabber:iq:roster', attrs, ...groups.map((name) => el('group', 'jabber:iq:roster', {}, name)))

/** A query's items, each as its attributes and groups. */
function itemsOf(query: Element | undefined) {
  return query?.childrenOf('item', 'jabber:iq:roster').map((one) => {
    const { xmlns: _, ...attrs } = one.attrs
    return { ...attrs, groups: one.childrenOf('group', 'jabber:iq:roster').map((group) => group.text) }
  })
}

/** The items of the pushes among what a resource heard. */
const pushes = (heard: Element[]) =>
  heard.flatMap((stanza) => itemsOf(stanza.child('query', 'jabber:iq:roster'))?.map((one) => one) ?? [])

const failsWith = (condition: StanzaCondition) => (error: unknown) =>
  error instanceof StanzaError && error.condition === condition

async function desk(limits?: Limits): Promise<Desk> {
  const made = new Desk(limits)
  await made.account(juliet)
  return made
}

const query = (...children: Element[]) => el('query', 'jabber:iq:roster', {}, ...children)

describe('RFC 6121 §2.3.3: what a roster set may not contain', () => {
  const limits = { nameBytes: 10, groups: 3, groupBytes: 10 }
  const nurseIn = (...groups: string[]) => query(item({ jid: 'nurse@example.com' }, ...groups))
  const refused: [string, Element, StanzaCondition][] = [
    ['no item', query(), 'bad-request'],
    ['two items', query(item({ jid: 'a@b.c' }), item({ jid: 'd@e.f' })), 'bad-request'],
    ['no address', query(item({ name: 'x' })), 'bad-request'],
    ['an empty address', query(item({ jid: '' })), 'bad-request'],
    ['an address that is none', query(item({ jid: 'a@@b' })), 'jid-malformed'],
    ['the own address', query(item({ jid: 'Juliet@example.com/x' })), 'not-allowed'],
    ['a long name', query(item({ jid: 'a@b.c', name: 'é'.repeat(6) })), 'not-acceptable'],
    ['a long group', nurseIn('é'.repeat(6)), 'not-acceptable'],
    ['an empty group', nurseIn('a', ''), 'not-acceptable'],
    ['a group twice', nurseIn('a', 'b', 'a'), 'bad-request'],
    ['a group twice, composed and not', nurseIn('\u00e9', 'e\u0301'), 'bad-request'],
    ['too many groups', nurseIn('a', 'b', 'c', 'd'), 'not-acceptable'],
  ]
  for (const [name, element, condition] of refused) {
    test(`${name}: ${condition}`, () => {
      assert.throws(() => readRosterSet(element, juliet, limits), failsWith(condition))
    })
  }

  test('just below the limits', () => {
    const set = readRosterSet(
      query(item({ jid: 'a@b.c', name: 'é'.repeat(5) }, 'é'.repeat(5), 'b', 'c')),
      juliet,
      limits,
    )
    assert.equal(set.what, 'update')
  })

  test('§2.1.2.5: of subscription only "remove" counts; a full JID is that of the contact', () => {
    const set = readRosterSet(
      query(item({ jid: 'Nurse@example.com/x', subscription: 'both', ask: 'subscribe' })),
      juliet,
      limits,
    )
    assert.deepEqual(set, { what: 'update', contact: nurse, name: '', groups: [] })
    const removed = readRosterSet(
      query(item({ jid: 'nurse@example.com', subscription: 'remove' })),
      juliet,
      limits,
    )
    assert.deepEqual(removed, { what: 'remove', contact: nurse })
  })
})

describe('roster get (RFC 6121 §2.1.3, §2.2, §2.6)', () => {
  test('an empty roster is an empty query', async () => {
    const { roster } = await desk()
    const query = await roster.get({ from: juliet, query: el('query'), session: undefined })
    assert.deepEqual(itemsOf(query), [])
    assert.ok(query?.attrs['ver'])
  })

  test('makes the resource interested', async () => {
    const d = await desk()
    const { session } = d.resource('juliet@example.com/balcony')
    await d.get(juliet, undefined, session)
    assert.equal(session.interested, true)
  })

  test('§2.6.3: nothing for the present version, everything for any other', async () => {
    const d = await desk()
    await d.set(juliet, item({ jid: 'nurse@example.com' }))
    const ver = (await d.get(juliet))?.attrs['ver'] as string
    assert.equal(await d.get(juliet, ver), undefined)
    for (const other of ['', '0', 'x', `${ver}0`])
      assert.equal(itemsOf(await d.get(juliet, other))?.length, 1)
    await d.set(juliet, item({ jid: 'romeo@example.net' }))
    assert.equal(itemsOf(await d.get(juliet, ver))?.length, 2)
  })

  describe('§2.6.3: a version that is known', () => {
    const friend = (i: number) => `friend${i}@example.com`
    async function acquainted(count: number) {
      const d = await desk()
      for (let i = 0; i < count; i++) await d.set(juliet, item({ jid: friend(i) }))
      const ver = (await d.get(juliet))?.attrs['ver'] as string
      const { session, heard } = d.resource('juliet@example.com/balcony')
      const asks = async (version: string) => {
        const request: RosterRequest = {
          from: juliet,
          query: el('query', 'jabber:iq:roster', { ver: version }),
          session,
        }
        session.interested = false
        heard.splice(0)
        const answer = await d.roster.get(request)
        assert.deepEqual(heard, [], 'the result goes first')
        assert.equal(session.interested, request.afterwards === undefined)
        return { answer, afterwards: () => request.afterwards?.() }
      }
      return { d, ver, session, heard, asks }
    }
    const versionsOf = (heard: Element[]) =>
      heard.map((stanza) => stanza.child('query', 'jabber:iq:roster')?.attrs['ver'] as string)

    test('is brought up to date by a push for each contact that has changed, the latest change last', async () => {
      const { d, ver, heard, asks } = await acquainted(12)
      await d.set(juliet, item({ jid: friend(3), name: 'first' }))
      await d.set(juliet, item({ jid: friend(5), subscription: 'remove' }))
      await d.set(juliet, item({ jid: friend(99) }))
      await d.set(juliet, item({ jid: friend(3), name: 'second' }))
      const { answer, afterwards } = await asks(ver)
      assert.equal(answer, undefined)
      afterwards()
      assert.deepEqual(pushes(heard), [
        { jid: friend(5), subscription: 'remove', groups: [] },
        { jid: friend(99), subscription: 'none', groups: [] },
        { jid: friend(3), name: 'second', subscription: 'none', groups: [] },
      ])
      const last = versionsOf(heard).at(-1)!
      assert.equal(last, (await d.get(juliet))?.attrs['ver'])
      assert.equal(new Set(versionsOf(heard)).size, 3)
      // Each of them is a version to go on from.
      const again = await asks(last)
      assert.equal(again.answer, undefined)
      again.afterwards()
      assert.deepEqual(heard, [])
    })

    test('hears of what happens between the result and the pushes, and once', async () => {
      const { d, ver, heard, asks } = await acquainted(12)
      await d.set(juliet, item({ jid: friend(1), name: 'before' }))
      const { afterwards } = await asks(ver)
      await d.set(juliet, item({ jid: friend(1), name: 'meanwhile' }))
      await d.set(juliet, item({ jid: friend(2), name: 'meanwhile' }))
      assert.deepEqual(heard, [])
      afterwards()
      await d.set(juliet, item({ jid: friend(2), name: 'after' }))
      assert.deepEqual(
        pushes(heard).map((one) => [
          (one as Record<string, unknown>)['jid'],
          (one as Record<string, unknown>)['name'],
        ]),
        [
          [friend(1), 'meanwhile'],
          [friend(2), 'meanwhile'],
          [friend(2), 'after'],
        ],
      )
    })

    test('gets the whole roster where that is less, or where too much has happened to know', async () => {
      const { d, ver, asks } = await acquainted(12)
      for (let i = 0; i < 5; i++) await d.set(juliet, item({ jid: friend(i), name: 'x' }))
      assert.equal(itemsOf((await asks(ver)).answer)?.length, 12)
      for (let i = 0; i < 600; i++) await d.set(juliet, item({ jid: friend(100 + i) }))
      assert.equal(itemsOf((await asks(ver)).answer)?.length, 612)
      const kept = `${ver.split('.')[0]}.${12 + 5 + 100}`
      assert.equal(itemsOf((await asks(kept)).answer)?.length, 612)
      const newest = (await d.get(juliet))?.attrs['ver'] as string
      for (const other of ['', '1', `${newest}.1`, `2${newest}`, '1.x', '1.', '.1', `${newest}0`])
        assert.equal(itemsOf((await asks(other)).answer)?.length, 612, other)
      // After a restart nothing is known of before.
      d.roster.forget(juliet)
      const past = `${ver.split('.')[0]}.${12 + 5 + 599}`
      assert.equal(itemsOf((await asks(past)).answer)?.length, 612)
      assert.equal((await asks(newest)).answer, undefined)
    })
  })

  test('the account that is made again under a name gives out other versions', async () => {
    const d = await desk()
    const versions = new Set([(await d.get(juliet))?.attrs['ver']])
    const account = await d.accounts.get('example.com', 'juliet')
    await d.accounts.remove(account!.id)
    d.roster.forget(juliet)
    await d.account(juliet)
    assert.equal(versions.has((await d.get(juliet))?.attrs['ver']), false)
  })

  test('no account, no roster', async () => {
    const d = await desk()
    await assert.rejects(d.get(nurse), failsWith('item-not-found'))
  })
})

describe('roster set (RFC 6121 §2.3 to §2.5)', () => {
  test('§2.1.6: pushes the item to interested resources only, each with the version', async () => {
    const d = await desk()
    const balcony = d.resource('juliet@example.com/balcony', { interested: true })
    const chamber = d.resource('juliet@example.com/chamber', { interested: true, available: true })
    const orchard = d.resource('juliet@example.com/orchard', { available: true })
    await d.set(juliet, item({ jid: 'nurse@example.com', name: 'Nurse' }, 'Servants'))
    for (const { session, heard } of [balcony, chamber]) {
      assert.deepEqual(pushes(heard), [
        { jid: 'nurse@example.com', name: 'Nurse', subscription: 'none', groups: ['Servants'] },
      ])
      assert.equal(heard[0]!.attrs['to'], session.jid.toString())
      assert.equal(heard[0]!.attrs['from'], 'juliet@example.com')
      assert.equal(heard[0]!.attrs['type'], 'set')
      assert.equal(heard[0]!.child('query')!.attrs['ver'], (await d.get(juliet))!.attrs['ver'])
    }
    assert.deepEqual(orchard.heard, [])
  })

  test('§2.4: the item becomes what the set says; the subscription stays', async () => {
    const d = await desk()
    await d.roster.outbound(juliet, romeo, 'subscribe', (_, push) => push())
    await d.set(
      juliet,
      item({ jid: 'romeo@example.net', name: 'Romeo', subscription: 'both' }, 'Friends', 'Lovers'),
    )
    await d.set(juliet, item({ jid: 'romeo@example.net' }, 'Lovers'))
    assert.deepEqual(itemsOf(await d.get(juliet)), [
      { jid: 'romeo@example.net', subscription: 'none', ask: 'subscribe', groups: ['Lovers'] },
    ])
  })

  test('§2.5.2: removal pushes "remove" and takes both subscriptions back, unavailable first', async () => {
    const d = await desk()
    await befriend(d, juliet, romeo)
    const { heard } = d.resource('juliet@example.com/balcony', { interested: true, available: true })
    d.sent.length = 0
    await d.set(juliet, item({ jid: 'romeo@example.net', subscription: 'remove' }))
    assert.deepEqual(
      d.sent.map(({ type, from, to }) => [type, from.toString(), to?.toString()].join(' ')),
      [
        'unavailable juliet@example.com/balcony romeo@example.net',
        'unsubscribe juliet@example.com romeo@example.net',
        'unsubscribed juliet@example.com romeo@example.net',
      ],
    )
    assert.deepEqual(pushes(heard), [{ jid: 'romeo@example.net', subscription: 'remove', groups: [] }])
    assert.deepEqual(itemsOf(await d.get(juliet)), [])
    assert.equal(await d.roster.sharesPresence(juliet, romeo), false)
  })

  test('§2.5.2: a removal is answered when the contact has been told', async () => {
    const d = await desk()
    await befriend(d, juliet, romeo)
    const { heard } = d.resource('juliet@example.com/balcony', { interested: true })
    let tells!: () => void
    d.way = new Promise((resolve) => (tells = resolve))
    let answered = false
    const removal = d
      .set(juliet, item({ jid: 'romeo@example.net', subscription: 'remove' }))
      .then(() => (answered = true))
    while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(answered, false)
    tells()
    await removal
  })

  test('§2.5.3: removing what is not there, or only a request', async () => {
    const d = await desk()
    await asks(d, romeo, juliet)
    for (const jid of ['nurse@example.com', 'romeo@example.net']) {
      await assert.rejects(d.set(juliet, item({ jid, subscription: 'remove' })), failsWith('item-not-found'))
    }
  })

  test('a full roster takes changes and removals, but no more items', async () => {
    const d = await desk({ items: 2 })
    await d.set(juliet, item({ jid: 'a@b.c' }))
    await d.set(juliet, item({ jid: 'd@e.f' }))
    await assert.rejects(d.set(juliet, item({ jid: 'g@h.i' })), failsWith('resource-constraint'))
    await assert.rejects(
      d.roster.outbound(juliet, romeo, 'subscribe', () => undefined),
      failsWith('resource-constraint'),
    )
    await d.set(juliet, item({ jid: 'a@b.c', name: 'A' }))
    await d.set(juliet, item({ jid: 'a@b.c', subscription: 'remove' }))
    await d.set(juliet, item({ jid: 'g@h.i' }))
  })

  test('§2.6.3: pushes occur in the order of modification, each with a version of its own', async () => {
    const d = await desk()
    const { heard } = d.resource('juliet@example.com/balcony', { interested: true })
    await Promise.all(Array.from({ length: 50 }, (_, i) => d.set(juliet, item({ jid: `n${i}@example.com` }))))
    const queries = heard.map((stanza) => stanza.child('query', 'jabber:iq:roster')!)
    assert.deepEqual(
      pushes(heard).map((one) => (one as { jid?: string }).jid),
      Array.from({ length: 50 }, (_, i) => `n${i}@example.com`),
    )
    assert.equal(new Set(queries.map((query) => query.attrs['ver'])).size, 50)
    assert.equal(new Set(heard.map((stanza) => stanza.attrs['id'])).size, 50)
  })
})

async function asks(d: Desk, from: Jid, to: Jid, ...children: Element[]): Promise<void> {
  const stanza = Stanza.of({ kind: 'presence', type: 'subscribe', id: 's1', from, to }, ...children)
  await d.roster.inbound(to, stanza, 'subscribe', (_, push) => push())
}

async function befriend(d: Desk, owner: Jid, contact: Jid): Promise<void> {
  await asks(d, contact, owner)
  await d.roster.outbound(owner, contact, 'subscribed', (_, push) => push())
  await d.roster.outbound(owner, contact, 'subscribe', (_, push) => push())
  const granted = Stanza.of({ kind: 'presence', type: 'subscribed', from: contact, to: owner })
  await d.roster.inbound(owner, granted, 'subscribed', (_, push) => push())
}

describe('subscriptions in the roster (RFC 6121 §3)', () => {
  test('§A.1, state 3: a request alone is in no roster and in no push, and changes neither', async () => {
    const d = await desk()
    const { heard } = d.resource('juliet@example.com/balcony', { interested: true })
    await asks(d, romeo, juliet)
    assert.deepEqual(itemsOf(await d.get(juliet)), [])
    assert.deepEqual(heard, [])
  })

  test('§3.1.3: the request is kept whole, also over a restart', async () => {
    const d = await desk()
    await asks(
      d,
      romeo,
      juliet,
      el('status', 'jabber:client', {}, 'It is I'),
      el('nick', 'http://jabber.org/protocol/nick', {}, 'R'),
    )
    d.roster.forget(juliet)
    const [request] = (await d.roster.load(juliet))!.requests
    const kept = Stanza.parse(request!.request!)
    assert.equal(kept.type, 'subscribe')
    assert.equal(kept.id, 's1')
    assert.equal(kept.child('status')?.text, 'It is I')
    assert.equal(kept.child('nick', 'http://jabber.org/protocol/nick')?.text, 'R')
  })

  test('§3.1.3, security warning: a huge request is kept without its content, too many are not kept', async () => {
    const d = await desk({ requestBytes: 300, requests: 2 })
    await asks(d, romeo, juliet, el('status', 'jabber:client', {}, 'x'.repeat(300)))
    await asks(d, nurse, juliet)
    let told = false
    const third = Stanza.of({
      kind: 'presence',
      type: 'subscribe',
      from: Jid.parse('paris@example.net'),
      to: juliet,
    })
    await d.roster.inbound(juliet, third, 'subscribe', () => void (told = true))
    assert.equal(told, false)
    assert.match(await d.metrics.text(), /roster_requests_dropped_total 1/)
    const { requests } = (await d.roster.load(juliet))!
    assert.deepEqual(
      requests.map(({ jid }) => jid.toString()),
      ['romeo@example.net', 'nurse@example.com'],
    )
    assert.deepEqual(Stanza.parse(requests[0]!.request!).children, [])
  })

  test('refusing a stranger leaves no trace and pushes nothing', async () => {
    const d = await desk()
    await asks(d, romeo, juliet)
    const { heard } = d.resource('juliet@example.com/balcony', { interested: true })
    await d.roster.outbound(juliet, romeo, 'unsubscribed', (_, push) => push())
    assert.deepEqual(heard, [])
    assert.deepEqual((await d.roster.load(juliet))!.requests, [])
    const account = await d.accounts.get('example.com', 'juliet')
    assert.deepEqual((await d.stores.rosters.load(account!.id)).items, [])
  })

  test('an answered request is gone, also over a restart', async () => {
    const d = await desk()
    await befriend(d, juliet, romeo)
    d.roster.forget(juliet)
    const contacts = (await d.roster.load(juliet))!
    assert.deepEqual(contacts.requests, [])
    assert.equal(contacts.get(romeo).subscription, 'both')
  })

  test('the request stays what it was while other stanzas come', async () => {
    const d = await desk()
    await asks(d, romeo, juliet)
    await d.roster.outbound(juliet, romeo, 'subscribe', () => undefined)
    const granted = Stanza.of({ kind: 'presence', type: 'subscribed', from: romeo, to: juliet })
    await d.roster.inbound(juliet, granted, 'subscribed', () => undefined)
    const { subscription, request } = (await d.roster.load(juliet))!.get(romeo)
    assert.equal(subscription, 'to')
    assert.equal(Stanza.parse(request!).type, 'subscribe')
  })

  test('presence is shown to subscribers only, also when an approval was overtaken by its end', async () => {
    const d = await desk()
    d.resource('juliet@example.com/balcony', { available: true })
    await d.roster.load(juliet)
    d.roster.showPresence(juliet, romeo, 'available')
    assert.deepEqual(d.sent, [])
    await befriend(d, juliet, romeo)
    d.roster.showPresence(juliet, romeo, 'available')
    assert.equal(d.sent.length, 1)
  })

  test('an account that ends takes back what it asked and gave, and is forgotten', async () => {
    const d = await desk()
    await befriend(d, juliet, romeo)
    await asks(d, nurse, juliet)
    d.resource('juliet@example.com/balcony', { available: true })
    d.roster.dissolve((await d.roster.load(juliet))!)
    assert.deepEqual(
      d.sent.map(({ type, from, to }) => [type, from.toString(), to?.toString()].join(' ')),
      [
        'unavailable juliet@example.com/balcony romeo@example.net',
        'unsubscribe juliet@example.com romeo@example.net',
        'unsubscribed juliet@example.com romeo@example.net',
        'unsubscribed juliet@example.com nurse@example.com',
      ],
    )
    assert.equal(d.roster.cached(juliet), undefined)
  })

  test('§3.4.2: a pre-approval of a stranger makes an item that says so', async () => {
    const d = await desk()
    await d.roster.outbound(juliet, romeo, 'subscribed', (_, push) => push())
    assert.deepEqual(itemsOf(await d.get(juliet)), [
      { jid: 'romeo@example.net', subscription: 'none', approved: 'true', groups: [] },
    ])
  })

  test('whom the presence is for', async () => {
    const d = await desk()
    await befriend(d, juliet, romeo)
    await d.roster.outbound(juliet, nurse, 'subscribe', () => undefined)
    for (const forgotten of [false, true]) {
      if (forgotten) d.roster.forget(juliet)
      assert.equal(await d.roster.sharesPresence(juliet, Jid.parse('romeo@example.net/orchard')), true)
      assert.equal(await d.roster.sharesPresence(juliet, nurse), false)
      assert.equal(await d.roster.sharesPresence(juliet, Jid.parse('juliet@example.com/x')), true)
      assert.deepEqual((await d.roster.subscribersOf(juliet)).map(String), ['romeo@example.net'])
      assert.deepEqual(d.roster.cached(juliet)?.subscriptions.map(String), ['romeo@example.net'])
    }
  })

  test('no account: nothing is kept and nobody is told', async () => {
    const d = await desk()
    const stanza = Stanza.of({ kind: 'presence', type: 'subscribe', from: romeo, to: nurse })
    const known = await d.roster.inbound(nurse, stanza, 'subscribe', () => assert.fail('told'))
    assert.equal(known, false)
    assert.equal(d.roster.cached(nurse), undefined)
  })
})

const someone = (i: number) => Jid.parse(`n${i}@example.com`)

describe('what stays in memory', () => {
  test('the accounts used last, and those with sessions', async () => {
    const d = new Desk({ cached: 10 })
    for (let i = 0; i < 100; i++) await d.account(someone(i))
    for (let i = 0; i < 5; i++) d.resource(`n${i}@example.com/x`)
    for (let i = 0; i < 100; i++) await d.roster.load(someone(i))
    const cached = Array.from({ length: 100 }, (_, i) => i).filter((i) => d.roster.cached(someone(i)))
    assert.ok(cached.length <= 10, `${cached.length} rosters in memory`)
    assert.deepEqual(cached.slice(0, 5), [0, 1, 2, 3, 4])
    assert.equal(cached.at(-1), 99)
  })

  test('an account with a change under way stays, so that there is never a second writer', async () => {
    let finish = (): void => undefined
    const gate = new Promise<void>((resolve) => (finish = resolve))
    const d = new Desk({ cached: 2 }, (store) => ({
      load: (account) => store.load(account),
      put: (account, one) => gate.then(() => store.put(account, one)),
      remove: (account, jid) => store.remove(account, jid),
    }))
    for (let i = 0; i < 20; i++) await d.account(someone(i))
    const first = d.set(someone(0), item({ jid: 'nurse@example.com', name: 'first' }))
    for (let i = 1; i < 20; i++) await d.roster.load(someone(i))
    const second = d.roster.outbound(someone(0), nurse, 'subscribe', () => undefined)
    await new Promise((resolve) => setImmediate(resolve))
    finish()
    await Promise.all([first, second])
    assert.deepEqual(itemsOf(await d.get(someone(0))), [
      { jid: 'nurse@example.com', name: 'first', subscription: 'none', ask: 'subscribe', groups: [] },
    ])
  })

  test('an account that does not exist is not remembered', async () => {
    const d = new Desk({ cached: 10 })
    assert.equal(await d.roster.load(nurse), undefined)
    await d.account(nurse)
    assert.ok(await d.roster.load(nurse))
  })

  test('what the store refuses has not happened', async () => {
    let broken = false
    const d = new Desk({}, (store) => ({
      load: (account) => store.load(account),
      put: (account, one) => (broken ? Promise.reject(new Error('no')) : store.put(account, one)),
      remove: (account, jid) => store.remove(account, jid),
    }))
    await d.account(juliet)
    const { heard } = d.resource('juliet@example.com/balcony', { interested: true })
    await d.set(juliet, item({ jid: 'nurse@example.com' }))
    broken = true
    const refused = d.set(juliet, item({ jid: 'romeo@example.net' }))
    await assert.rejects(refused, /no/)
    broken = false
    await d.set(juliet, item({ jid: 'nurse@example.com', name: 'N' }))
    assert.deepEqual(
      itemsOf(await d.get(juliet))?.map((one) => (one as { jid?: string }).jid),
      ['nurse@example.com'],
    )
    assert.equal(heard.length, 2)
  })
})

test('a change of a contact is told once it is stored and said, and only then', async () => {
  const desk = new Desk()
  await desk.account(juliet)
  const said: string[] = []
  await desk.roster.outbound(juliet, romeo, 'subscribe', async () => {
    await Promise.resolve()
    said.push(...desk.told, 'said')
  })
  await desk.roster.update(juliet, nurse, { name: 'Nurse', groups: [] })
  await desk.roster.remove(juliet, nurse)
  await assert.rejects(desk.roster.remove(juliet, nurse))
  assert.deepEqual(said, ['said'])
  assert.deepEqual(desk.told, [
    'juliet@example.com romeo@example.net none none',
    'juliet@example.com nurse@example.com none none',
    'juliet@example.com nurse@example.com none gone',
  ])
})
