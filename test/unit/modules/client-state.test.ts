/** XEP-0352 against a model: whatever comes in whatever order, the client ends up knowing the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import clientState from '../../../src/modules/client-state/index.js'
import type { Session } from '../../../src/session/session.js'
import { Stanza } from '../../../src/stanza/stanza.js'
import type { Element } from '../../../src/xml/element.js'
import { parseElement } from '../../../src/xml/parser.js'
import { Dice } from '../../support/dice.js'
import { Stage } from './stage.js'

const own = 'juliet@capulet.example/phone'
const people = ['a@x/1', 'a@x/2', 'b@x/1', 'room@y/nick', 'c@z/1']

/** What a client believes of all that it has heard: which stanza told it last of each presence, activity and item. */
function viewOf(stanzas: readonly Element[]): Map<string, string> {
  const view = new Map<string, string>()
  for (const stanza of stanzas) {
    const { from, id = '' } = stanza.attrs
    const item = stanza.child('event', 'http://jabber.org/protocol/pubsub#event')?.child('items')
    if (stanza.local === 'presence' && stanza.attrs['type'] !== 'subscribe') view.set(`presence ${from}`, id)
    else if (item) view.set(`item ${from} ${item.attrs['node']} ${item.childrenOf()[0]?.attrs['id']}`, id)
    else if (stanza.childrenOf()[0]?.ns === 'http://jabber.org/protocol/chatstates')
      view.set(`activity ${from}`, id)
  }
  return view
}

function unimportant(dice: Dice, from: string, id: number): string {
  const say = (kind: string, attributes: string, content: string) =>
    `<${kind} xmlns='jabber:client' from='${from}' to='${own}' id='${id}' ${attributes}>${content}</${kind}>`
  switch (dice.below(4)) {
    case 0:
      return say('presence', '', `<status>${id}</status>`)
    case 1:
      return say('presence', `type='unavailable'`, '')
    case 2: {
      const state = dice.of(['composing', 'paused', 'active'])
      return say('message', `type='chat'`, `<${state} xmlns='http://jabber.org/protocol/chatstates'/>`)
    }
    default: {
      const item = `<item id='${dice.below(2)}'><x xmlns='x'>${id}</x></item>`
      const items = `<items node='${dice.of(['mood', 'tune'])}'>${item}</items>`
      const event = `<event xmlns='http://jabber.org/protocol/pubsub#event'>${items}</event>`
      return say('message', `type='headline'`, event)
    }
  }
}

function important(dice: Dice, from: string, id: number): string {
  return dice.of([
    `<message xmlns='jabber:client' from='${from}' to='${own}' id='${id}' type='chat'><body>x</body></message>`,
    `<iq xmlns='jabber:client' from='${from}' to='${own}' id='${id}' type='result'/>`,
    `<presence xmlns='jabber:client' from='${from}' to='${own}' id='${id}' type='subscribe'/>`,
  ])
}

async function plays(seed: number, queue: number): Promise<void> {
  const dice = new Dice(seed)
  const stage = await Stage.with([clientState, { queue }])
  const client = await stage.client(own)
  const { session } = client
  const [indication] = stage.host.tables.streamFeatures
  const become = (state: string) =>
    void indication!.receive!(parseElement(`<${state} xmlns='urn:xmpp:csi:0'/>`), { session } as never)
  const heard = () =>
    client.got.map((text) => parseElement(text.replace(/^<(\w+)/, `<$1 xmlns='jabber:client'`)))
  const said: Element[] = []
  const why = () => `seed ${seed}, after ${said.length}`
  let inactive = false
  const upToDate = () => assert.deepEqual(viewOf(heard()), viewOf(said), why())
  for (let id = 1; id <= 300; id++) {
    switch (dice.below(12)) {
      case 0:
        inactive = !inactive
        become(inactive ? 'inactive' : 'active')
        if (!inactive) upToDate()
        break
      case 1:
        await client.sends(`<message to='nobody@capulet.example' type='error'/>`)
        upToDate()
        break
      case 2:
      case 3: {
        const text = important(dice, dice.of(people), id)
        said.push(parseElement(text))
        session.deliver(Stanza.parse(text))
        assert.equal(heard().at(-1)?.attrs['id'], String(id), why())
        upToDate()
        break
      }
      default: {
        const text = unimportant(dice, dice.of(people), id)
        said.push(parseElement(text))
        const before = client.got.length
        session.deliver(Stanza.parse(text))
        if (inactive && queue > 300) assert.equal(client.got.length, before, why())
        if (!inactive) assert.equal(client.got.length, before + 1, why())
      }
    }
    assertOrdered(heard(), why)
  }
  become('active')
  upToDate()
}

/** RFC 6120 §10.1: nothing overtakes, nothing comes twice. */
function assertOrdered(heard: readonly Element[], why: () => string): void {
  const ids = heard.map(({ attrs }) => Number(attrs['id']))
  assert.deepEqual(
    ids,
    [...new Set(ids)].sort((one, other) => one - other),
    why(),
  )
}

test('XEP-0352: in any order of stanzas and states the client ends up with the same view, and nothing important waits', async () => {
  for (let seed = 1; seed <= 40; seed++) await plays(seed, seed % 2 === 0 ? 500 : 3)
})

test('XEP-0352: a session that was never inactive has no state of it', async () => {
  const stage = await Stage.with(clientState)
  const client = await stage.client(own)
  let made = 0
  const { session } = client
  const state = session.state.bind(session)
  session.state = ((slot: Parameters<Session['state']>[0]) => (made++, state(slot))) as Session['state']
  session.deliver(Stanza.parse(`<presence xmlns='jabber:client' from='a@x/1'/>`))
  assert.equal(made, 0)
})
