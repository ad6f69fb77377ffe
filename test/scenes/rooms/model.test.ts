// XEP-0045: random steps of several people with several clients; what each client sees is what the model of the room says.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import type { Actor } from '../../support/actor.js'
import { Dice } from '../../support/dice.js'
import { BALL, enters, entrance, says } from '../../support/rooms.js'
import { RoomModel, type Step } from '../../support/rooms-model.js'
import { Stage } from '../../support/stage.js'
import { affiliations, roles } from '../../../src/modules/rooms/privileges.js'
import type { Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

const names = ['juliet', 'romeo', 'romeo$phone', 'nurse', 'tybalt', 'tybalt$phone', 'paris'] as const
const accounts = [...new Set(names.map((name) => name.replace(/\$.*/, '')))]
/** Two of them look the same. */
const nicks = ['sun', 'moon', 'Moon', 'star', 'lark', 'owl']
const variables = {
  moderated: 'muc#roomconfig_moderatedroom',
  membersOnly: 'muc#roomconfig_membersonly',
  open: 'muc#roomconfig_whois',
} as const

/** Rates are another matter. */
const unlimited = ['occupant_rate', 'presence_rate', 'nick_rate', 'rate'].map(
  (rate) => `modules.rooms.${rate}=off`,
)

const seed = Number(process.env['SCENE_SEED'] ?? randomInt(1_000_000))
const rounds = 5
const length = 120

for (let round = 0; round < rounds; round++)
  test(`what everybody sees is what the model says (SCENE_SEED=${seed}, round ${round})`, async () => {
    const steps = randomSteps(new Dice(seed + round))
    const failure = await play(steps)
    if (!failure) return
    const [shortest, why] = await shortened(steps, failure)
    assert.fail(
      `${why.message}\n  steps:\n${shortest.map((step) => `    ${JSON.stringify(step)}`).join('\n')}`,
    )
  })

type Doing = Step | { readonly does: 'restart'; readonly who: number }

function randomSteps(dice: Dice): Doing[] {
  let count = 0
  const one = (): Doing => {
    const who = dice.below(names.length)
    const text = `line ${count++}`
    const nick = dice.of(nicks)
    switch (dice.below(22)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return { who, does: 'enter', nick }
      case 5:
        return { who, does: 'rename', nick }
      case 6:
        return { who, does: 'leave' }
      case 7:
        return { who, does: 'vanish' }
      case 8:
        return { who, does: 'show', text: dice.of(['away', 'dnd', 'xa']) }
      case 9:
        return { who, does: 'subject', text }
      case 10:
      case 11:
        return { who, does: 'whisper', nick, text }
      case 12:
      case 13:
      case 14:
        return { who: dice.of([0, who]), does: 'role', nick, role: dice.of(roles) }
      case 15:
      case 16:
        return {
          who: dice.of([0, who]),
          does: 'affiliation',
          account: dice.of(accounts),
          affiliation: dice.of(affiliations),
        }
      case 17:
        return {
          who: dice.of([0, who]),
          does: 'configure',
          field: dice.of(['moderated', 'membersOnly', 'open'] as const),
          on: dice.below(2) === 1,
        }
      case 18:
        return dice.below(4) === 0 ? { who, does: 'restart' } : { who, does: 'speak', text }
      default:
        return { who, does: 'speak', text }
    }
  }
  return Array.from({ length }, one)
}

/** Tries to do without halves, quarters, eighths … of the steps. */
async function shortened(steps: readonly Doing[], failure: Error): Promise<[readonly Doing[], Error]> {
  let [left, why] = [steps, failure]
  for (let size = Math.ceil(steps.length / 2), plays = 0; size >= 1 && plays < 60; size = size >> 1)
    for (let at = 0; at < left.length && plays < 60; plays++) {
      const fewer = [...left.slice(0, at), ...left.slice(at + size)]
      const found = await play(fewer)
      if (found) [left, why] = [fewer, found]
      else at += size
    }
  return [left, why]
}

/** Why what somebody saw was not what the model said, undefined when it was. */
async function play(steps: readonly Doing[]): Promise<Error | undefined> {
  const stage = await Stage.open({ set: unlimited })
  try {
    const room = await Playing.start(stage)
    for (const [index, step] of steps.entries())
      await room.does(step, `step${index}`).catch((error: unknown) => {
        throw new Error(`after step ${index}, ${JSON.stringify(step)}: ${String(error)}`)
      })
    return undefined
  } catch (error) {
    return error as Error
  } finally {
    await stage.close()
  }
}

/** What a client knows of the room by what it was told. */
interface Seen {
  nick: string
  readonly occupants: Map<string, string>
  subject: string
  readonly heard: string[]
}

class Playing {
  readonly #stage: Stage
  readonly #actors: readonly Actor[]
  readonly #model = new RoomModel(
    names.map((name) => name.replace(/\$.*/, '')),
    'juliet',
  )
  readonly #seen: (Seen | undefined)[] = names.map(() => undefined)
  readonly #whispers: string[][] = names.map(() => [])

  private constructor(stage: Stage, actors: readonly Actor[]) {
    this.#stage = stage
    this.#actors = actors
  }

  /** Juliet makes a persistent room and leaves it. */
  static async start(stage: Stage): Promise<Playing> {
    const actors = names.map((name) => stage.actor(name))
    for (const actor of actors) await actor.connects()
    const [juliet] = actors as [Actor]
    await enters(juliet)
    await juliet.sets(form('muc#roomconfig_persistentroom', '1'), BALL)
    juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
    await juliet.ignoresSoFar()
    return new Playing(stage, actors)
  }

  async does(step: Doing, id: string): Promise<void> {
    const before = this.#model.clients.map((client) => this.#model.seesJids(client))
    let refused = false
    if (step.does === 'restart') {
      this.#model.restart()
      await this.#restart()
    } else {
      refused = this.#model.refuses(step)
      await this.#act(this.#actors[step.who]!, step, id)
    }
    await this.#stage.settled()
    for (const [who, actor] of this.#actors.entries()) {
      const mayHaveSeen = before[who]! || this.#model.seesJids(this.#model.clients[who]!)
      const errors = await this.#read(who, actor, mayHaveSeen)
      const expected = refused && who === step.who ? 1 : 0
      assert.equal(errors.length, expected, `${actor.name} got ${errors.length} errors: ${errors.join()}`)
    }
    this.#compare()
  }

  async #restart(): Promise<void> {
    await this.#stage.restarts()
    for (const [who, actor] of this.#actors.entries()) {
      await actor.isGone()
      this.#seen[who] = undefined
      await actor.connects()
    }
  }

  async #act(actor: Actor, step: Step, id: string): Promise<void> {
    switch (step.does) {
      case 'enter':
        return actor.sends(entrance(actor, { nick: step.nick }))
      case 'rename':
        return actor.sends(`<presence to='${BALL}/${step.nick}'/>`)
      case 'leave':
        return actor.sends(`<presence type='unavailable' to='${BALL}/whatever'/>`)
      case 'vanish':
        this.#seen[step.who] = undefined
        await actor.vanishes()
        return actor.connects()
      case 'show': {
        const nick = this.#seen[step.who]?.nick
        if (nick === undefined) return undefined
        return actor.sends(`<presence to='${BALL}/${nick}'><show>${step.text}</show></presence>`)
      }
      case 'speak':
        return says(actor, step.text, { id })
      case 'subject':
        return actor.sends(
          `<message type='groupchat' to='${BALL}' id='${id}'><subject>${step.text}</subject></message>`,
        )
      case 'whisper':
        return actor.sends(
          `<message type='chat' to='${BALL}/${step.nick}' id='${id}'><body>${step.text}</body></message>`,
        )
      case 'role':
        return administers(actor, id, `nick='${step.nick}' role='${step.role}'`)
      case 'affiliation': {
        const jid = `${step.account}@${actor.domain}`
        return administers(actor, id, `jid='${jid}' affiliation='${step.affiliation}'`)
      }
      case 'configure': {
        const value = step.field === 'open' ? (step.on ? 'anyone' : 'moderators') : step.on ? 'true' : 'false'
        return actor.sends(
          `<iq type='set' id='${id}' to='${BALL}'>${form(variables[step.field], value)}</iq>`,
        )
      }
    }
  }

  /** Takes in what came; gives the errors. */
  async #read(who: number, actor: Actor, mayHaveSeen: boolean): Promise<string[]> {
    const errors: string[] = []
    while (actor.waiting > 0) {
      const stanza = await actor.next()
      if (stanza.attrs['type'] === 'error') errors.push(stanza.toString())
      else if (stanza.local === 'presence') this.#readPresence(who, actor, stanza, mayHaveSeen)
      else if (stanza.local === 'message') this.#readMessage(who, stanza)
    }
    return errors
  }

  #readPresence(who: number, actor: Actor, presence: Element, mayHaveSeen: boolean): void {
    const nick = nickOf(presence)
    const x = presence.child('x', NS.mucUser)
    assert.ok(x, `presence that says nothing: ${presence.toString()}`)
    const item = x.child('item', NS.mucUser)!
    const told = x.childrenOf('status', NS.mucUser).map(({ attrs }) => Number(attrs['code']))
    const isOwn = told.includes(110)
    const jid = item.attrs['jid']
    // XEP-0045 §7.2.4: nobody learns an address who may not.
    if (jid !== undefined && !jid.startsWith(`${actor.bare}/`))
      assert.ok(mayHaveSeen, `${actor.name} was told an address: ${presence.toString()}`)
    if (presence.attrs['type'] === 'unavailable') {
      this.#seen[who]?.occupants.delete(nick)
      if (!isOwn) return
      if (told.includes(303)) this.#seen[who]!.nick = item.attrs['nick']!
      else this.#seen[who] = undefined
      return
    }
    const seen = (this.#seen[who] ??= { nick: '', occupants: new Map(), subject: '', heard: [] })
    if (isOwn) seen.nick = nick
    const { affiliation, role } = item.attrs
    seen.occupants.set(nick, `${affiliation} ${role} ${presence.child('show', 'jabber:client')?.text ?? ''}`)
  }

  #readMessage(who: number, message: Element): void {
    const nick = nickOf(message)
    const body = message.child('body', 'jabber:client')?.text
    const subject = message.child('subject', 'jabber:client')?.text
    if (message.attrs['type'] === 'chat') this.#whispers[who]!.push(`${nick}: ${body}`)
    else if (message.attrs['type'] !== 'groupchat') return
    else if (body !== undefined) this.#seen[who]?.heard.push(`${nick}: ${body}`)
    else if (subject !== undefined && this.#seen[who]) this.#seen[who].subject = subject
  }

  #compare(): void {
    const { clients } = this.#model
    for (const [who, client] of clients.entries()) {
      const seen = this.#seen[who]
      const view = seen && { ...seen, occupants: Object.fromEntries(seen.occupants) }
      const expected = this.#model.viewOf(client)
      assert.deepEqual(view && sorted(view), expected && sorted(expected), `what ${names[who]} sees`)
      assert.deepEqual(this.#whispers[who], client.whispers, `what was said to ${names[who]} alone`)
    }
  }
}

function sorted<T extends { readonly occupants: Readonly<Record<string, string>> }>(view: T): T {
  return {
    ...view,
    occupants: Object.fromEntries(Object.entries(view.occupants).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

function nickOf(stanza: Element): string {
  return (stanza.attrs['from'] ?? '').split('/')[1] ?? ''
}

function administers(actor: Actor, id: string, item: string): void {
  actor.sends(
    `<iq type='set' id='${id}' to='${BALL}'><query xmlns='${NS.mucAdmin}'><item ${item}/></query></iq>`,
  )
}

function form(name: string, value: string): string {
  const type = `<field var='FORM_TYPE' type='hidden'><value>${NS.mucRoomConfig}</value></field>`
  return `<query xmlns='${NS.mucOwner}'><x xmlns='jabber:x:data' type='submit'>${type}<field var='${name}'><value>${value}</value></field></x></query>`
}
