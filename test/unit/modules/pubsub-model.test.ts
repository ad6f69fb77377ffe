/** XEP-0060 §4: random requests of several entities to a node, against a model that knows nothing of the engine. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { Stage, type Client } from './stage.js'
import { Dice } from '../../support/dice.js'
import { owner, pubsub, reasonOf, stateOf, submitted, word, wordsOf } from '../../support/pubsub.js'
import capabilities from '../../../src/modules/capabilities/index.js'
import pep from '../../../src/modules/pubsub/pep.js'
import { Jid } from '../../../src/stanza/jid.js'
import type { Element } from '../../../src/xml/element.js'
import { parseElement } from '../../../src/xml/parser.js'

const models = ['open', 'presence', 'roster', 'whitelist', 'authorize'] as const
const publishModels = ['publishers', 'subscribers', 'open'] as const
const affiliations = ['owner', 'publisher', 'publish-only', 'member', 'none', 'outcast'] as const
const people = ['romeo', 'nurse', 'paris'] as const
type Person = (typeof people)[number]
type Affiliation = (typeof affiliations)[number]

/** What is known of one who is not the account's owner. */
interface Known {
  friend: boolean
  group: boolean
  affiliation: Affiliation
  subscription: 'none' | 'pending' | 'subscribed'
}

/** A node as a reader of the specification would draw it, on one page. */
class Model {
  access: (typeof models)[number] = 'presence'
  publish: (typeof publishModels)[number] = 'publishers'
  words: string[] = []
  readonly people = new Map<Person, Known>(
    people.map((name) => [name, { friend: false, group: false, affiliation: 'none', subscription: 'none' }]),
  )

  /** Table 1 and §4.5: '' when they may come in, 'ask' when they must ask first, else the reason. */
  door({ affiliation, friend, group }: Known): string {
    if (affiliation === 'owner' || affiliation === 'publisher' || affiliation === 'member') return ''
    if (affiliation !== 'none') return 'forbidden'
    const closed = {
      open: '',
      presence: friend ? '' : 'not-authorized/presence-subscription-required',
      roster: friend && group ? '' : 'not-authorized/not-in-roster-group',
      whitelist: 'not-allowed/closed-node',
      authorize: 'ask',
    }
    return closed[this.access]
  }

  /** Strangers with nothing to do here see no node at all. */
  seen(known: Known, answer: string): string {
    const { friend, subscription } = known
    const door = this.door(known)
    const concerned = subscription !== 'none' || door === '' || door === 'ask' || this.mayPublish(known)
    return friend || concerned ? answer : 'not-authorized/presence-subscription-required'
  }

  reading(known: Known): string {
    const door = this.door(known)
    const words = this.words.join(' ')
    if (door !== 'ask') return this.seen(known, door || words)
    return known.subscription === 'subscribed' ? words : 'not-authorized/not-subscribed'
  }

  mayPublish({ affiliation, subscription }: Known): boolean {
    if (affiliation === 'owner' || affiliation === 'publisher' || affiliation === 'publish-only') return true
    if (affiliation === 'outcast') return false
    return this.publish === 'open' || (this.publish === 'subscribers' && subscription === 'subscribed')
  }

  /** Changes the state and gives the answer. */
  subscribing(known: Known): string {
    const door = this.door(known)
    const hidden = this.seen(known, '')
    if (hidden) return hidden
    if (known.subscription === 'pending') return 'not-authorized/pending-subscription'
    if (door !== '' && door !== 'ask') return door
    if (known.subscription === 'none') known.subscription = door === 'ask' ? 'pending' : 'subscribed'
    return known.subscription
  }

  /** §7.1 of XEP-0163, and the same for what owners change: who is shut out is subscribed no more. */
  shut(which: Iterable<Known> = this.people.values()): void {
    for (const known of which) {
      const door = this.door(known)
      if (door !== '' && door !== 'ask') known.subscription = 'none'
    }
  }

  hearers(): Person[] {
    return people.filter((name) => this.people.get(name)!.subscription === 'subscribed')
  }
}

/** The same node on a server, and hands for all that can be done to it. */
class World {
  readonly model = new Model()
  readonly stage: Stage
  readonly juliet: Client
  readonly clients = new Map<Person, Client>()
  readonly log: string[] = []
  #count = 0

  private constructor(stage: Stage, juliet: Client) {
    this.stage = stage
    this.juliet = juliet
  }

  static async open(): Promise<World> {
    const stage = await Stage.with(capabilities, [pep, { items: 4 }])
    const world = new World(stage, await stage.client('juliet@capulet.example/balcony'))
    for (const name of people) {
      const client = await stage.client(`${name}@capulet.example/home`)
      client.available()
      world.clients.set(name, client)
    }
    const form = submitted('node_config', { max_items: '3', send_last_published_item: 'never' })
    await world.asks(world.juliet, pubsub(`<create node='n'/><configure>${form}</configure>`))
    return world
  }

  asks(client: Client, payload: string, type: 'get' | 'set' = 'set'): Promise<Element> {
    return client.asks(type, payload, 'juliet@capulet.example')
  }

  check(what: string, actual: string, expected: string): void {
    this.log.push(`${what}: ${actual}`)
    assert.equal(actual, expected, this.log.slice(-20).join('\n'))
  }

  async step(dice: Dice): Promise<void> {
    const name = dice.of(people)
    const known = this.model.people.get(name)!
    const client = this.clients.get(name)!
    const { model } = this
    switch (dice.below(11)) {
      case 0:
        return this.#configure(dice)
      case 1:
        return this.#affiliate(name, known, dice.of(affiliations))
      case 2:
      case 3:
        return this.#contact(name, known, dice)
      case 4: {
        const expected = model.subscribing(known)
        const jid = `jid='${name}@capulet.example'`
        const reply = await this.asks(client, pubsub(`<subscribe node='n' ${jid}/>`))
        return this.check(`${name} subscribes`, stateOf(reply), expected)
      }
      case 5:
        return this.#unsubscribe(name, known, client)
      case 6:
        return this.#approve(name, known, dice.of(['1', '0']))
      case 7:
        return this.#publish(`${name} publishes`, client, this.#publishing(known))
      case 8:
        return this.#publish('juliet publishes', this.juliet, 'ok')
      case 9:
      case 10: {
        const reply = await this.asks(client, pubsub(`<items node='n'/>`), 'get')
        return this.check(`${name} reads`, wordsOf(reply), model.reading(known))
      }
    }
  }

  async #configure(dice: Dice): Promise<void> {
    const { model } = this
    const before = model.access
    model.access = dice.of(models)
    model.publish = dice.of(publishModels)
    const config = {
      access_model: model.access,
      publish_model: model.publish,
      roster_groups_allowed: 'Friends',
    }
    const reply = await this.asks(
      this.juliet,
      owner(`<configure node='n'>${submitted('node_config', config)}</configure>`),
    )
    this.check(`juliet configures ${model.access}, ${model.publish}`, reasonOf(reply), 'ok')
    if (before !== model.access || model.access === 'roster') model.shut()
  }

  async #affiliate(name: Person, known: Known, affiliation: Affiliation): Promise<void> {
    known.affiliation = affiliation
    const each = `<affiliation jid='${name}@capulet.example' affiliation='${affiliation}'/>`
    const reply = await this.asks(this.juliet, owner(`<affiliations node='n'>${each}</affiliations>`))
    this.check(`${name} becomes ${affiliation}`, reasonOf(reply), 'ok')
    this.model.shut([known])
  }

  /** Juliet's roster changes. */
  async #contact(name: Person, known: Known, dice: Dice): Promise<void> {
    const before = known.friend
    known.friend = dice.below(3) > 0
    known.group = dice.below(2) > 0
    const jid = Jid.parse(`${name}@capulet.example`)
    await this.stage.host.roster.change(
      Jid.parse('juliet@capulet.example'),
      (contacts) => ({
        jid,
        push: false,
        contact: {
          ...contacts.get(jid),
          listed: true,
          subscription: known.friend ? 'from' : 'none',
          groups: known.group ? ['Friends'] : ['Others'],
        },
      }),
      () => undefined,
    )
    this.log.push(
      `${name} is ${known.friend ? 'a friend' : 'a stranger'}${known.group ? ' in the group' : ''}`,
    )
    if (before) this.model.shut([known])
  }

  async #unsubscribe(name: Person, known: Known, client: Client): Promise<void> {
    const there = known.subscription === 'none' ? 'unexpected-request/not-subscribed' : 'none'
    const expected = this.model.seen(known, there)
    const reply = await this.asks(client, pubsub(`<unsubscribe node='n' jid='${name}@capulet.example'/>`))
    this.check(`${name} unsubscribes`, stateOf(reply), expected)
    known.subscription = 'none'
  }

  async #approve(name: Person, known: Known, allow: string): Promise<void> {
    const form = submitted('subscribe_authorization', {
      node: 'n',
      subscriber_jid: `${name}@capulet.example`,
      allow,
    })
    await this.juliet.sends(`<message to='juliet@capulet.example' id='a'>${form}</message>`)
    this.log.push(`juliet answers ${name} ${allow}`)
    if (known.subscription === 'pending') known.subscription = allow === '1' ? 'subscribed' : 'none'
  }

  #publishing(known: Known): string {
    return this.model.seen(known, this.model.mayPublish(known) ? 'ok' : 'forbidden')
  }

  async #publish(what: string, client: Client, expected: string): Promise<void> {
    const text = `w${++this.#count}`
    for (const one of [this.juliet, ...this.clients.values()]) one.got.length = 0
    const answers: string[] = []
    const reply = await replyTo(client, text)
    for (const [name, { got }] of this.clients)
      if (got.some((xml) => xml.startsWith('<message') && xml.includes(`>${text}<`))) answers.push(name)
    this.check(what, reasonOf(reply), expected)
    if (expected === 'ok') this.model.words = [...this.model.words, text].slice(-3)
    const hearers = expected === 'ok' ? this.model.hearers() : []
    this.check(`${text} is heard by`, answers.join(' '), hearers.join(' '))
  }
}

/** The publisher may be a subscriber, too: then its reply is not all that reaches it. */
async function replyTo(client: Client, text: string): Promise<Element> {
  const published = pubsub(`<publish node='n'><item>${word(text)}</item></publish>`)
  await client.sends(`<iq type='set' id='p1' to='juliet@capulet.example'>${published}</iq>`)
  const [reply, ...more] = client.got.filter((xml) => xml.startsWith('<iq'))
  assert.deepEqual(more, [])
  return parseElement(reply!.replace('<iq', `<iq xmlns='jabber:client'`))
}

const seed = Number(process.env['SCENE_SEED'] ?? randomInt(1_000_000))

test(`who may do what at a node is what the tables of XEP-0060 say (seed ${seed})`, async () => {
  const dice = new Dice(seed)
  for (let round = 0; round < 6; round++) {
    const world = await World.open()
    for (let step = 0; step < 150; step++) await world.step(dice)
    // What was read from the store anew is what was in memory.
    world.stage.host.roster.forget(Jid.parse('juliet@capulet.example'))
    await world.stage.load(capabilities, [pep, { items: 4 }])
    for (let step = 0; step < 20; step++) await world.step(dice)
  }
})
