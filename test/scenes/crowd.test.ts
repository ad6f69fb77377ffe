/** A crowd that comes, goes, befriends and quarrels at random: at rest everybody believes what is so. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { Dice } from '../support/dice.js'
import { scene, type Stage } from '../support/stage.js'
import { memoryStores } from '../../src/storage/memory.js'
import type { OfflineLimits } from '../../src/storage/offline.js'
import type { Stores } from '../../src/storage/stores.js'
import type { Element } from '../../src/xml/element.js'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Stores that take their time, each call another: what may overtake each other does. */
function slowStores(limits: OfflineLimits, dice: Dice): Stores {
  const stores = memoryStores({ offline: limits })
  const { rosters, offline } = stores
  const delay = async () => {
    for (let turns = dice.below(4); turns > 0; turns--) await turn()
  }
  const slowed = <A extends unknown[], R>(run: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      await delay()
      const result = await run(...args)
      await delay()
      return result
    }
  }
  rosters.load = slowed(rosters.load.bind(rosters))
  rosters.put = slowed(rosters.put.bind(rosters))
  rosters.remove = slowed(rosters.remove.bind(rosters))
  offline.read = slowed(offline.read.bind(offline))
  offline.removeThrough = slowed(offline.removeThrough.bind(offline))
  // Kept in the order in which they were given.
  const append = offline.append.bind(offline)
  let last: Promise<unknown> = Promise.resolve()
  offline.append = async (...args) => {
    const done = last.then(delay).then(() => append(...args))
    last = done
    const outcome = await done
    await delay()
    return outcome
  }
  return stores
}

/** One client: what it has said of itself, and what it has heard of others. */
class Person {
  /** `<show/>` of its presence, undefined while there is none. */
  shows: string | undefined
  /** On its way in or out. */
  moving = false
  /** By full JID. */
  readonly sees = new Map<string, string>()
  /** Subscriptions by bare JID, as roster result and pushes tell. */
  readonly roster = new Map<string, string>()
  /** Ids of messages in the order of their coming, for each time online. */
  readonly heard: string[][] = []
  readonly directed = new Set<string>()

  constructor(readonly actor: Actor) {}

  async comes(): Promise<void> {
    const { actor } = this
    this.forget()
    this.heard.push([])
    await actor.connects()
    const reply = await actor.gets(`<query xmlns='jabber:iq:roster'/>`)
    for (const item of reply.childrenOf()[0]?.childrenOf('item') ?? []) this.#note(item)
  }

  async comesAndSays(show: string): Promise<void> {
    await this.comes()
    this.says(show)
  }

  says(show: string): void {
    this.shows = show
    this.actor.sends(`<presence><show>${show}</show></presence>`)
  }

  hides(): void {
    this.shows = undefined
    this.directed.clear()
    this.actor.sends(`<presence type='unavailable'/>`)
  }

  async goes(how: 'leaves' | 'vanishes'): Promise<void> {
    await this.actor[how]()
    await this.listens()
    this.forget()
  }

  forget(): void {
    this.shows = undefined
    this.sees.clear()
    this.roster.clear()
    this.directed.clear()
  }

  /** Takes in what has arrived. */
  async listens(): Promise<void> {
    while (this.actor.waiting > 0) {
      const stanza = await this.actor.next()
      const { from, id, type } = stanza.attrs
      if (stanza.local === 'message' && type === 'chat') this.heard.at(-1)!.push(id!)
      if (stanza.local === 'iq' && type === 'set')
        for (const item of stanza.childrenOf()[0]!.childrenOf('item')) this.#note(item)
      if (stanza.local !== 'presence') continue
      if (type === undefined) this.sees.set(from!, stanza.child('show', 'jabber:client')?.text ?? '')
      if (type === 'unavailable') this.sees.delete(from!)
      // RFC 6121 §4.5.2: whoever is unavailable is told nothing more, and all of it anew when back.
      if (type === 'unavailable' && from === this.actor.full) this.sees.clear()
    }
  }

  #note({ attrs }: Element): void {
    const { jid, subscription } = attrs
    if (subscription === 'remove') this.roster.delete(jid!)
    else this.roster.set(jid!, subscription!)
  }
}

async function rest(stage: Stage, people: readonly Person[]): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 40; i++) await turn()
    await stage.settled()
    for (const person of people) await person.listens()
  }
}

function act(dice: Dice, one: Person, other: Person, said: string[]): void {
  const { actor } = one
  const to = dice.of([other.actor.bare, other.actor.full])
  // Subscriptions are one resource's business: RFC 6121 §A.3.2 answers an unsubscribe, and that answer would end what
  // another resource has asked for meanwhile.
  switch (dice.below(actor.resource === 'balcony' ? 9 : 5)) {
    case 0:
      return one.says(dice.of(['away', 'chat', 'dnd', 'xa']))
    case 1:
      return one.shows === undefined ? one.says('away') : one.hides()
    case 2:
      one.directed.add(other.actor.bare)
      return actor.sends(`<presence to='${to}'><show>chat</show></presence>`)
    case 3:
    case 4: {
      const id = `${actor.name}-${other.actor.local}-${said.length}`
      said.push(id)
      return actor.sends(`<message type='chat' id='${id}' to='${other.actor.bare}'><body>.</body></message>`)
    }
    case 5:
      return actor.sends(
        `<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='${other.actor.bare}' subscription='${dice.of(['', 'remove'])}'/></query></iq>`,
      )
    default:
      return actor.sends(
        `<presence type='${dice.of(['subscribe', 'subscribe', 'subscribed', 'subscribed', 'unsubscribe', 'unsubscribed'])}' to='${to}'/>`,
      )
  }
}

/** No ghosts, no leaks, nobody overlooked; and both sides of a friendship tell the same. */
async function look(people: readonly Person[], seed: string): Promise<void> {
  const rosters = new Map<string, Map<string, string>>()
  for (const person of people.filter(({ actor }) => actor.isConnected)) {
    const reply = await person.actor.gets(`<query xmlns='jabber:iq:roster'/>`)
    const items = reply.childrenOf()[0]!.childrenOf('item')
    const roster = new Map(
      items.map(({ attrs }) => [attrs['jid'] as string, attrs['subscription'] as string]),
    )
    assert.deepEqual(sorted(person.roster), sorted(roster), `${seed}: pushes to ${person.actor.name}`)
    rosters.set(person.actor.bare, roster)
  }
  const has = (roster: Map<string, string> | undefined, jid: string, half: 'to' | 'from') =>
    ['both', half].includes(roster?.get(jid) ?? 'none')
  for (const [owner, roster] of rosters) {
    for (const [contact, theirs] of rosters) {
      assert.equal(has(roster, contact, 'to'), has(theirs, owner, 'from'), `${seed}: ${owner} to ${contact}`)
    }
  }
  for (const watcher of people.filter(({ shows }) => shows !== undefined)) {
    for (const { actor, shows, directed } of people) {
      const why = `${seed}: ${watcher.actor.name} about ${actor.name}`
      const seen = watcher.sees.get(actor.full)
      const own = actor.local === watcher.actor.local
      if (own || has(rosters.get(actor.bare), watcher.actor.bare, 'from')) {
        if (!directed.has(watcher.actor.bare)) assert.equal(seen, shows, why)
      } else if (!directed.has(watcher.actor.bare)) assert.equal(seen, undefined, why)
    }
  }
}

function sorted(map: ReadonlyMap<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

const seeds = process.env['CROWD']
  ? process.env['CROWD'].split(',').map(Number)
  : Array.from({ length: 6 }, (_, i) => i)
for (const seed of seeds) {
  const dice = new Dice(seed)
  scene(
    `RFC 6121 §2 to §5: a crowd at rest believes what is so (seed ${seed})`,
    async ({ romeo, romeo$phone, juliet, juliet$phone, nurse, stage }) => {
      const people = [romeo, romeo$phone, juliet, juliet$phone, nurse].map((actor) => new Person(actor))
      const said: string[] = []
      const how = seed % 2 === 0 ? (['leaves'] as const) : (['leaves', 'vanishes'] as const)
      for (const { actor } of people) await stage.account(actor.local, actor.domain, 'wherefore')
      for (let round = 0; round < 12; round++) {
        const moves: Promise<void>[] = []
        for (const person of people) {
          person.moving = !person.actor.isConnected || dice.below(4) === 0
          if (!person.moving) continue
          moves.push(person.actor.isConnected ? person.goes(dice.of(how)) : person.comesAndSays('chat'))
        }
        for (let i = 0; i < 12; i++) {
          const [one, other] = dice.shuffled(people)
          if (!one!.moving && one!.actor.isConnected && one!.actor.local !== other!.actor.local)
            act(dice, one!, other!, said)
          if (dice.below(3) === 0) await turn()
        }
        await Promise.all(moves)
        await rest(stage, people)
        await look(people, `seed ${seed}, round ${round}\n${stage.transcript()}`)
      }
      if (seed % 2 !== 0) return
      // Nobody was cut off: every message has come, in the order of sending, to each time online once.
      for (const person of people) if (person.actor.isConnected) await person.goes('leaves')
      for (const person of people) {
        await person.comes()
        person.says('chat')
        await rest(stage, people)
      }
      for (const person of people)
        for (const heard of person.heard) {
          assert.equal(new Set(heard).size, heard.length, `seed ${seed}: twice in ${heard.join(' ')}`)
          const conversation = (id: string) => id.slice(0, id.lastIndexOf('-'))
          for (const one of new Set(heard.map(conversation))) {
            const ids = heard.filter((id) => conversation(id) === one)
            const inOrder = ids.toSorted((a, b) => said.indexOf(a) - said.indexOf(b))
            assert.deepEqual(ids, inOrder, `seed ${seed}: the order`)
          }
        }
      const all = new Set(people.flatMap(({ heard }) => heard.flat()))
      assert.deepEqual(
        said.filter((id) => !all.has(id)),
        [],
        `seed ${seed}: lost`,
      )
    },
    { stores: (limits) => slowStores(limits, dice) },
  )
}
