/** XEP-0163 §4: whose presence brings which events, here and elsewhere. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { friends, subscribed } from '../support/friends.js'
import { Program } from '../support/programs.js'
import { configures, creates, notified, publishes, subscribes, told, word } from '../support/pubsub.js'
import { scene, type StageOptions } from '../support/stage.js'
import { pepKey, type PepEvent } from '../../src/modules/pubsub/api.js'
import { StanzaError } from '../../src/stanza/errors.js'
import { Jid } from '../../src/stanza/jid.js'
import { el } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'

const node = 'urn:word'
const curious = new Program(NS.discoInfo, `${node}+notify`)
const deaf = new Program(NS.discoInfo)

const old = (from: Actor, to: Actor, text: string) =>
  told(
    from.bare,
    to.full,
    `<items node='${node}'><item id='{any}'>${word(text)}</item></items>`,
    `<delay xmlns='${NS.delay}' from='${from.bare}'/>`,
  )

const wordIn = (message: string) => />(\w+)<\/word>/.exec(message)?.[1]

/** What has arrived at an actor that is no presence. */
async function messages(actor: Actor): Promise<string[]> {
  await actor.stage.settled()
  const found: string[] = []
  while (actor.waiting > 0) {
    const element = await actor.next()
    if (element.local === 'message') found.push(element.toString())
  }
  return found
}

scene(
  'XEP-0060 §9.2: what a client asks for counts when it is known, also if that is later',
  async ({ juliet, romeo }) => {
    await deaf.starts(juliet)
    await deaf.starts(romeo, true)
    await friends(juliet, romeo)
    await publishes(juliet, node, 'early')
    await romeo.leaves()
    await romeo.online(`<presence>${curious.c}</presence>`)
    await romeo.receives(`<presence from='${juliet.full}'>{any}</presence>`)
    await curious.isAsked(romeo)
    await romeo.receives(old(juliet, romeo, 'early'))
    await publishes(juliet, node, 'late')
    await romeo.receives(notified(juliet.bare, romeo.full, node, 'late'))
    // Another program, which asks for nothing.
    romeo.sends(`<presence>${deaf.c}</presence>`)
    await romeo.ignoresSoFar()
    await publishes(juliet, node, 'unheard')
    await romeo.hearsNothingMore()
  },
)

scene(
  'XEP-0163 §4.3.3: a client that asks for more gets the last item of that, until it comes online again',
  async ({ juliet, romeo }) => {
    const more = new Program(NS.discoInfo, `${node}+notify`, 'urn:mood+notify')
    await curious.starts(juliet)
    await more.starts(romeo)
    await publishes(juliet, node, 'word')
    await publishes(juliet, 'urn:mood', 'mood')
    await juliet.ignoresSoFar()
    juliet.sends(`<presence>${more.c}</presence>`)
    assert.deepEqual((await messages(juliet)).map(wordIn), ['mood'])
    juliet.sends(`<presence type='unavailable'/>`)
    juliet.sends(`<presence>${more.c}</presence>`)
    assert.deepEqual((await messages(juliet)).map(wordIn), ['word', 'mood'])
  },
)

scene(
  'XEP-0163 §4.3.4: a new subscriber of the presence gets the last item of what it asks for',
  async ({ juliet, romeo }) => {
    await deaf.starts(juliet)
    await curious.starts(romeo)
    await publishes(juliet, node, 'there')
    await romeo.hearsNothingMore()
    romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
    await juliet.ignoresSoFar()
    juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
    const [event, ...more] = await messages(romeo)
    assert.match(event ?? '', /there.*<delay /)
    assert.deepEqual(more, [])
  },
)

scene(
  'XEP-0163 §4.3.3: never, when the node says so; and not what is closed to them',
  async ({ juliet, romeo }) => {
    await deaf.starts(juliet)
    await curious.starts(romeo)
    await friends(juliet, romeo)
    await creates(juliet, node, { send_last_published_item: 'never' })
    await publishes(juliet, node, 'quiet')
    await romeo.receives(notified(juliet.bare, romeo.full, node, 'quiet'))
    const returns = async () => {
      await romeo.leaves()
      await romeo.online(`<presence>${curious.c}</presence>`)
      return messages(romeo)
    }
    assert.deepEqual(await returns(), [])
    await configures(juliet, node, { send_last_published_item: 'on_sub' })
    assert.deepEqual(await returns(), [])
    await configures(juliet, node, {
      send_last_published_item: 'on_sub_and_presence',
      access_model: 'whitelist',
    })
    assert.deepEqual(await returns(), [])
    await publishes(juliet, node, 'private')
    assert.deepEqual(await messages(romeo), [])
    await configures(juliet, node, { access_model: 'open' })
    assert.match((await returns()).join(), /private/)
  },
)

scene(
  'XEP-0163 §4.3.2: who has subscribed and asks for it as well hears of it once',
  async ({ juliet, romeo, romeo$phone }) => {
    await deaf.starts(juliet)
    await curious.starts(romeo)
    await deaf.starts(romeo$phone, true)
    await friends(juliet, romeo)
    await publishes(juliet, node, 'first')
    await subscribes(romeo, node, juliet.bare)
    await romeo.ignoresSoFar()
    await romeo$phone.ignoresSoFar()
    await publishes(juliet, node, 'second')
    await romeo.receives(notified(juliet.bare, romeo.full, node, 'second'))
    await romeo.hearsNothingMore()
    await romeo$phone.hearsNothingMore()
    // Nobody asks for it by presence: then all hear of it who take messages.
    romeo.sends(`<presence>${deaf.c}</presence>`)
    await romeo.ignoresSoFar()
    await romeo$phone.ignoresSoFar()
    await publishes(juliet, node, 'third')
    for (const actor of [romeo, romeo$phone])
      await actor.receives(notified(juliet.bare, romeo.bare, node, 'third'))
  },
)

scene('XEP-0163 §4.3.3, XEP-0191 §3.3: who is blocked hears of nothing', async ({ juliet, romeo, nurse }) => {
  await deaf.starts(juliet)
  await curious.starts(romeo)
  await curious.starts(nurse, true)
  await friends(juliet, romeo)
  await friends(juliet, nurse)
  await publishes(juliet, node, 'before')
  await juliet.sets(`<block xmlns='${NS.blocking}'><item jid='${romeo.bare}'/></block>`)
  await romeo.ignoresSoFar()
  await nurse.ignoresSoFar()
  await publishes(juliet, node, 'after')
  assert.deepEqual(await messages(romeo), [])
  assert.match((await messages(nurse)).join(), /after/)
  await romeo.leaves()
  await curious.starts(romeo, true)
  assert.deepEqual(await messages(romeo), [])
  await nurse.sets(`<block xmlns='${NS.blocking}'><item jid='${juliet.bare}'/></block>`)
  await nurse.ignoresSoFar()
  await publishes(juliet, node, 'unheard')
  assert.deepEqual(await messages(nurse), [])
})

const anyone: StageOptions = { set: ['s2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } }

scene(
  'XEP-0163 §4.2, §4.3: contacts at other servers hear of it as their presence asks for it',
  async ({ stage, juliet, far: { romeo } }) => {
    await deaf.starts(juliet)
    await romeo.online(`<presence>${curious.c}</presence>`)
    await curious.isAsked(romeo)
    romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
    await stage.settled()
    await juliet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`)
    juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    await stage.settled()
    romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
    await stage.settled()
    // Juliet's server asks him, too.
    let request
    while (romeo.waiting > 0) {
      const element = await romeo.next()
      if (element.local === 'iq' && element.attrs['type'] === 'get') request = element
    }
    assert.equal(request?.attrs['from'], juliet.bare)
    romeo.sends(curious.answer(request))
    await stage.settled()
    await juliet.ignoresSoFar()
    await publishes(juliet, node, 'afar')
    await stage.settled()
    await romeo.receives(notified(juliet.bare, romeo.full, node, 'afar'))
    romeo.sends(`<presence type='unavailable'/>`)
    await stage.settled()
    romeo.sends(`<presence>${curious.c}</presence>`)
    let last = await romeo.next()
    while (last.local === 'presence') last = await romeo.next()
    assert.match(last.toString(), /afar.*<delay /)
    assert.deepEqual(await messages(romeo), [])
  },
  anyone,
)

scene('the other domain of this server is elsewhere as well', async ({ juliet, nurse, other: { romeo } }) => {
  await deaf.starts(juliet)
  await curious.starts(nurse)
  await curious.starts(romeo)
  await friends(juliet, romeo)
  await publishes(juliet, node, 'near')
  await romeo.receives(notified(juliet.bare, romeo.full, node, 'near'))
})

scene(
  'RFC 6121 §4.6: presence directed to an account brings its events, until it is taken back',
  async ({ stage, juliet, romeo }) => {
    await deaf.starts(juliet)
    await deaf.starts(romeo, true)
    await subscribed(romeo, juliet)
    await creates(juliet, node, { send_last_published_item: 'never' })
    romeo.sends(`<presence type='unavailable'/>`)
    romeo.sends(`<presence to='${juliet.bare}'>${curious.c}</presence>`)
    await stage.settled()
    while (romeo.waiting > 0) {
      const element = await romeo.next()
      if (element.local === 'iq') romeo.sends(curious.answer(element))
    }
    await stage.settled()
    await publishes(juliet, node, 'shown')
    assert.match((await messages(romeo)).join(), /shown/)
    romeo.sends(`<presence to='${juliet.bare}' type='unavailable'/>`)
    await stage.settled()
    await publishes(juliet, node, 'unseen')
    assert.deepEqual(await messages(romeo), [])
  },
)

scene('other modules publish, read, watch and guard', async ({ stage, juliet, romeo }) => {
  await curious.starts(juliet)
  await romeo.online()
  const pep = stage.server.hosts.get(stage.domain)!.service(pepKey)
  const account = Jid.parse(juliet.bare)
  const payload = (text: string) => el('word', node, undefined, text)
  const seen: string[] = []
  const tell = ({ item, retracted, gone, by }: PepEvent) => {
    const what = item ? `${item.id}=${item.payload.text}` : (retracted ?? gone)
    seen.push(`${what} ${by?.toString() ?? '-'}`)
  }
  const unwatch = pep.watch(node, tell)
  pep.watch(node, () => {
    throw new Error('a watcher that crashes')
  })
  const unguard = pep.guard(node, ({ payload: given, id }) => {
    if (given.text === 'bad') throw new StanzaError('not-acceptable')
    return given.text === 'rough' ? { id, payload: payload('smooth') } : undefined
  })
  assert.deepEqual(await pep.items(account, node), [])
  assert.equal(await pep.publish(account, node, { id: 'a', payload: payload('bad') }, { maxItems: 3 }), 'a')
  await juliet.receives(notified(juliet.bare, juliet.full, node, 'bad'))
  await publishes(juliet, node, 'rough', { id: 'b' })
  await juliet.receives(notified(juliet.bare, juliet.full, node, 'smooth'))
  assert.equal((await publishes(juliet, node, 'bad', { id: 'c' })).attrs['type'], 'error')
  const words = (items: readonly { payload: { text: string } }[]) => items.map((item) => item.payload.text)
  assert.deepEqual(words(await pep.items(account, node)), ['bad', 'smooth'])
  assert.deepEqual(words(await pep.items(account, node, { max: 1 })), ['smooth'])
  assert.deepEqual(words(await pep.items(account, node, { ids: ['a', 'x'] })), ['bad'])
  assert.deepEqual(await pep.readable(account, node, Jid.parse(romeo.full)), [])
  assert.deepEqual(words(await pep.readable(account, node, Jid.parse(juliet.full))), ['bad', 'smooth'])
  assert.deepEqual(await pep.nodes(account), [node])
  await pep.retract(account, node, 'a', true)
  await juliet.receives(told(juliet.bare, juliet.full, `<items node='${node}'><retract id='a'/></items>`))
  await pep.retract(account, node, 'a', true)
  await pep.deleteNode(account, node)
  await juliet.receives(told(juliet.bare, juliet.full, `<delete node='${node}'/>`))
  await pep.deleteNode(account, node)
  assert.deepEqual(seen, [`a=bad -`, `b=smooth ${juliet.full}`, 'a -', 'deleted -'])
  unwatch()
  unguard()
  assert.equal((await publishes(juliet, node, 'bad')).attrs['type'], 'result')
  assert.equal(seen.length, 4)
  assert.ok(stage.logged.every((line) => line.includes('module.crashed')))
})

scene(
  'OMEMO: keys are there for strangers, devices for contacts that ask; XEP-0223: bookmarks for nobody else',
  async ({ juliet, juliet$phone, romeo, paris }) => {
    const devices = 'eu.siacs.conversations.axolotl.devicelist'
    const secrets = new Program(NS.discoInfo, `${devices}+notify`, 'urn:xmpp:bookmarks:1+notify')
    await secrets.starts(juliet$phone)
    await juliet.online()
    await secrets.starts(romeo, true)
    await paris.online()
    await friends(juliet, romeo)
    await juliet$phone.ignoresSoFar()
    const open = { access_model: 'open' }
    await publishes(juliet, devices, 'devices', { id: 'current', options: open })
    await publishes(juliet, 'eu.siacs.conversations.axolotl.bundles:1', 'keys', {
      id: 'current',
      options: open,
    })
    await publishes(juliet, 'urn:xmpp:omemo:2:devices', 'two', { id: 'current', options: open })
    const many = { access_model: 'open', max_items: 'max' }
    for (let id = 1; id <= 20; id++)
      await publishes(juliet, 'urn:xmpp:omemo:2:bundles', `keys${id}`, { id: String(id), options: many })
    const whitelist = {
      persist_items: 'true',
      max_items: 'max',
      send_last_published_item: 'never',
      access_model: 'whitelist',
      notify_delete: 'true',
      notify_retract: 'true',
    }
    await publishes(juliet, 'urn:xmpp:bookmarks:1', 'room', { id: 'room@x.example', options: whitelist })
    const heard = (await messages(juliet$phone)).map((text) => /<word[^>]*>(\w+)/.exec(text)?.[1])
    assert.deepEqual(heard, ['devices', 'room'])
    const romeos = (await messages(romeo)).map((text) => /<word[^>]*>(\w+)/.exec(text)?.[1])
    assert.deepEqual(romeos, ['devices'])
    const asked = async (actor: Actor, name: string, more = '') =>
      (
        await actor.gets(
          `<pubsub xmlns='${NS.pubsub}'><items node='${name}'>${more}</items></pubsub>`,
          juliet.bare,
        )
      ).toString()
    assert.match(await asked(paris, devices), /devices</)
    assert.match(await asked(paris, 'eu.siacs.conversations.axolotl.bundles:1'), /keys</)
    assert.match(await asked(paris, 'urn:xmpp:omemo:2:bundles', `<item id='7'/>`), />keys7</)
    assert.match(await asked(romeo, 'urn:xmpp:bookmarks:1'), /closed-node/)
    assert.match(await asked(juliet, 'urn:xmpp:bookmarks:1'), /room</)
  },
)

scene('XEP-0163: nodes go with their account', async ({ stage, juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  await publishes(juliet, node, 'gone', { options: { access_model: 'open' } })
  const host = stage.server.hosts.get(stage.domain)!
  await host.removeAccount((await host.account('juliet'))!)
  await juliet.isGone()
  await stage.account('juliet', juliet.domain, 'wherefore')
  const reply = await romeo.gets(`<pubsub xmlns='${NS.pubsub}'><items node='${node}'/></pubsub>`, juliet.bare)
  assert.match(reply.toString(), /presence-subscription-required/)
})
