// XEP-0313, XEP-0059: the archive of a room is a plain list of what was said there, however it is asked for.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { archiveOf, type Asked } from '../../support/archive.js'
import { Dice } from '../../support/dice.js'
import { roomIdOf } from '../../support/room-archive.js'
import { BALL, gather } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

/** One message as the room should remember it. */
interface Remembered {
  readonly id: string
  readonly at: number
  readonly speaker: Actor
  readonly nick: string
  /** Empty when it has none, or is gone. */
  body: string
}

interface Filter {
  readonly nick?: string | undefined
  /** By real address: its bare one, or with the resource. */
  readonly speaker?: { readonly actor: Actor; readonly full: boolean } | undefined
  readonly start?: number | undefined
  readonly end?: number | undefined
  readonly after?: string | undefined
  readonly before?: string | undefined
  readonly ids?: readonly string[] | undefined
  readonly word?: string | undefined
}

interface Page {
  readonly max: number | undefined
  readonly after?: string | undefined
  readonly before?: string | undefined
  readonly index?: number | undefined
  readonly flip: boolean
}

const moment = (at: number) => new Date(at).toISOString()
const words = ['dove', 'rose', 'night', 'Banquet']

function isWanted(one: Remembered, filter: Filter): boolean {
  const { nick, speaker, start, end, after, before, ids, word } = filter
  if (nick !== undefined && one.nick !== nick) return false
  if (speaker && one.speaker !== speaker.actor) return false
  if (start !== undefined && one.at < start) return false
  if (end !== undefined && one.at > end) return false
  if (after !== undefined && one.id <= after) return false
  if (before !== undefined && one.id >= before) return false
  if (ids && !ids.includes(one.id)) return false
  return word === undefined || one.body.toLowerCase().includes(word.toLowerCase())
}

/** The page as XEP-0059 §2 has it, and whether nothing lies beyond it. */
function pageOf(fits: readonly Remembered[], { max = 250, after, before, index }: Page) {
  const beside = fits.filter(
    ({ id }) => (after === undefined || id > after) && (before === undefined || before === '' || id < before),
  )
  if (before !== undefined) return { page: beside.slice(-max), complete: beside.length <= max }
  const page = beside.slice(index ?? 0, (index ?? 0) + max)
  return { page, complete: beside.length <= (index ?? 0) + page.length }
}

function askedOf(filter: Filter, { max, after, before, index, flip }: Page): Asked {
  const { speaker, nick } = filter
  const other =
    speaker === undefined
      ? nick === undefined
        ? undefined
        : `${BALL}/${nick}`
      : speaker.full
        ? speaker.actor.full
        : speaker.actor.bare
  const form = {
    with: other,
    start: filter.start === undefined ? undefined : moment(filter.start),
    end: filter.end === undefined ? undefined : moment(filter.end),
    'after-id': filter.after,
    'before-id': filter.before,
    ids: filter.ids,
    '{urn:xmpp:fulltext:0}fulltext': filter.word,
  }
  const set = Object.entries({ max, after, before, index })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
  const given = Object.entries(form).filter(([, value]) => value !== undefined)
  return { form: Object.fromEntries(given) as NonNullable<Asked['form']>, set: set.join(''), flip, to: BALL }
}

/** All of it, page by page, in one direction. */
async function walked(reader: Actor, max: number, forward: boolean): Promise<string[]> {
  const ids: string[] = []
  for (let beside = forward ? '' : '<before/>'; ;) {
    const {
      first,
      last,
      complete,
      ids: page,
    } = await archiveOf(reader, {
      set: `<max>${max}</max>${beside}`,
      to: BALL,
    })
    if (forward) ids.push(...page)
    else ids.unshift(...page)
    if (complete) return ids
    beside = forward ? `<after>${last}</after>` : `<before>${first}</before>`
  }
}

scene('the archive of a room is a plain list: random talk, random questions', async (cast) => {
  const { romeo, juliet, nurse, stage } = cast
  const dice = new Dice(313)
  const everybody = [romeo, juliet, nurse]
  await gather(everybody)
  const nicks = new Map(everybody.map((actor) => [actor, actor.local]))
  const model: Remembered[] = []
  const stanza = (payload: string) =>
    `<message id='${dice.below(1e9)}' type='groupchat' to='${BALL}'>${payload}</message>`

  /** Everybody hears it, and under the same id. */
  async function says(actor: Actor, payload: string, body: string): Promise<void> {
    actor.sends(stanza(payload))
    const ids = new Set<string | undefined>()
    for (const one of everybody) ids.add(roomIdOf(await one.next(payload)))
    const [id] = [...ids]
    assert.equal(ids.size, 1)
    if (id !== undefined)
      model.push({ id, at: stage.clock.now(), speaker: actor, nick: nicks.get(actor)!, body })
  }

  for (let i = 0; i < 120; i++) {
    const actor = dice.of(everybody)
    const own = model.filter(({ speaker, body }) => speaker === actor && body !== '')
    const kind = dice.below(12)
    if (kind === 0) await says(actor, `<composing xmlns='http://jabber.org/protocol/chatstates'/>`, '')
    else if (kind === 1) await says(romeo, `<subject>${i}</subject>`, '')
    else if (kind === 2) {
      const other = dice.of(everybody)
      actor.sends(`<message type='chat' to='${BALL}/${nicks.get(other)}'><body>private</body></message>`)
      await other.next('a private message')
    } else if (kind === 3) {
      const nick = `${actor.local}${i}`
      actor.sends(`<presence to='${BALL}/${nick}'/>`)
      nicks.set(actor, nick)
      for (const one of everybody) await one.ignoresSoFar()
    } else if (kind === 4 && own.length > 0) {
      const gone = dice.of(own)
      await says(actor, `<retract xmlns='urn:xmpp:message-retract:1' id='${gone.id}'/>`, '')
      gone.body = ''
    } else {
      const body = `${dice.of(words)} ${i}`
      await says(actor, `<body>${body}</body>`, body)
    }
    stage.clock.advance(dice.below(3) * 500)
  }
  await romeo.settled()
  assert.ok(model.length > 60 && model.some(({ body }) => body === ''))

  const all = model.map(({ id }) => id)
  for (const max of [1, 7, 250])
    for (const forward of [true, false]) assert.deepEqual(await walked(dice.of(everybody), max, forward), all)

  const one = () => dice.of(model)
  const sometimes = <T>(make: () => T): T | undefined => (dice.below(4) === 0 ? make() : undefined)
  for (let round = 0; round < 150; round++) {
    const reader = dice.of(everybody)
    // Who is no moderator asks by address for what it said itself.
    const speaker = sometimes(() => ({
      actor: reader === romeo ? dice.of(everybody) : reader,
      full: dice.below(2) === 0,
    }))
    const filter: Filter = {
      speaker,
      nick: speaker ? undefined : sometimes(() => one().nick),
      start: sometimes(() => one().at + dice.below(3) - 1),
      end: sometimes(() => one().at + dice.below(3) - 1),
      after: sometimes(() => one().id),
      before: sometimes(() => one().id),
      ids: sometimes(() => [one().id, one().id, one().id]),
      word: sometimes(() => dice.of(words).toUpperCase()),
    }
    const after = sometimes(() => one().id)
    const before = sometimes(() => dice.of(['', one().id]))
    const page: Page = {
      max: sometimes(() => 1 + dice.below(20)),
      after,
      before,
      index: after === undefined && before === undefined ? sometimes(() => dice.below(10)) : undefined,
      flip: dice.below(4) === 0,
    }
    const label = JSON.stringify({ ...filter, speaker: speaker?.actor.name, page })
    const fits = model.filter((message) => isWanted(message, filter))
    const expected = pageOf(fits, page)
    const got = await archiveOf(reader, askedOf(filter, page))
    const wanted = page.flip ? expected.page.toReversed() : expected.page
    assert.deepEqual(
      got.ids,
      wanted.map(({ id }) => id),
      label,
    )
    assert.deepEqual(
      got.bodies,
      wanted.map(({ body }) => body),
      label,
    )
    assert.equal(got.complete, expected.complete, label)
    assert.equal(got.count, fits.length, label)
    const [first] = expected.page
    assert.equal(got.index, first === undefined ? undefined : fits.indexOf(first), label)
  }
})
