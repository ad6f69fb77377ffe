import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stage } from './stage.js'
import push from '../../../src/modules/push/index.js'
import { Lanes } from '../../../src/modules/push/lanes.js'
import { Notifier } from '../../../src/modules/push/notifier.js'
import { Registrations, type Registration } from '../../../src/modules/push/registrations.js'
import { Settings } from '../../../src/modules/push/settings.js'
import { defineModule } from '../../../src/host/module.js'
import { pepKey, type Pep, type PepItem } from '../../../src/modules/pubsub/api.js'
import { options } from '../../../src/base/schema.js'
import { Jid } from '../../../src/stanza/jid.js'
import { Stanza } from '../../../src/stanza/stanza.js'
import { StorageUnavailable } from '../../../src/storage/errors.js'
import { parseElement } from '../../../src/xml/parser.js'

const juliet = Jid.parse('juliet@capulet.example')
const app = 'push.example'
const turn = () => new Promise((resolve) => setImmediate(resolve))

const said = (words: string, from = 'romeo@montague.example/garden', type = 'chat', more = '') =>
  Stanza.parse(
    `<message xmlns='jabber:client' from='${from}' to='${juliet.toString()}' type='${type}'><body>${words}</body>${more}</message>`,
  )
const registration = (node: string): Registration => ({ jid: app, node, resource: node, enabledAt: 0 })

test('no more devices are remembered than may be, and no more wait for an app server', async () => {
  const stage = await Stage.with()
  const sent: Stanza[] = []
  stage.router.elsewhere = { send: (stanza) => void sent.push(stanza) }
  const content = { sender: false, body: false, notice: '' }
  const notifier = new Notifier(stage.host, new Registrations(stage.host, 1), {
    ...content,
    interval: 1000,
    devices: 10,
  })
  const hits = () => stage.metrics.valueOf('limit_hits_total', 'push_devices')
  // The app server never answers: so many requests are under way, the rest waits.
  for (let i = 0; i < 110; i++) notifier.wake(juliet, registration(`n${i}`), said('hist'), 'message')
  await turn()
  assert.equal(sent.length, 100)
  assert.equal(hits(), 100) // remembered no more
  for (let i = 0; i < 1000; i++) notifier.wake(juliet, registration(`m${i}`), said('hist'), 'message')
  await turn()
  assert.equal(sent.length, 100)
  assert.equal(hits(), 100 + 1000 + 1000)
  notifier.stop()
  notifier.wake(juliet, registration('n1'), said('hist'), 'message')
  stage.clock.advance(70_000)
  await turn()
  assert.equal(sent.length, 100)
})

test('one destination that is slow delays no other, and what is urgent comes first', async () => {
  const lanes = new Lanes(1, 3)
  const done: string[] = []
  const ends = new Map<string, () => void>()
  const task = (name: string, urgent = false) => ({
    urgent,
    run: () =>
      new Promise<void>((resolve) => {
        done.push(name)
        ends.set(name, resolve)
      }),
  })
  assert.equal(lanes.add('a', task('a1')), true)
  assert.equal(lanes.add('a', task('a2')), true)
  assert.equal(lanes.add('a', task('a3', true)), true)
  assert.equal(lanes.add('b', task('b1')), true)
  assert.deepEqual(done, ['a1', 'b1'])
  assert.equal(lanes.add('b', task('b2')), true)
  assert.equal(lanes.add('a', task('a4')), false)
  assert.equal(lanes.add('c', task('c1')), true)
  for (const name of ['a1', 'a3', 'a2', 'b1', 'b2', 'c1']) {
    ends.get(name)?.()
    await turn()
  }
  assert.deepEqual(done, ['a1', 'b1', 'c1', 'a3', 'a2', 'b2'])
  assert.equal(lanes.waiting, 0)
})

test('registrations: one change after the other, and what a store could not keep is not there', async () => {
  const { host, stores } = await Stage.with()
  await stores.accounts.create(host.domain, 'juliet', {}, 0)
  const registrations = new Registrations(host, 2)
  await Promise.all(['n1', 'n2', 'n3'].map((node) => registrations.enable('juliet', registration(node))))
  const nodes = async (of = registrations) => (await of.of('juliet')).map(({ node }) => node)
  assert.deepEqual(await nodes(), ['n2', 'n3'])
  // Another that has read nothing yet finds the same.
  assert.deepEqual(await nodes(new Registrations(host, 2)), ['n2', 'n3'])
  // What was enabled anew meanwhile is another matter.
  await registrations.enable('juliet', { ...registration('n3'), enabledAt: 1 })
  assert.deepEqual((await registrations.of('juliet'))[1], registration('n3')) // it said nothing new
  const changed = { ...registration('n3'), resource: 'another', enabledAt: 1 }
  await registrations.enable('juliet', changed)
  await registrations.remove('juliet', registration('n3'))
  await registrations.note('juliet', registration('n2'), 3, 60_000)
  assert.deepEqual(await new Registrations(host, 2).of('juliet'), [
    { ...registration('n2'), failures: 3, retryAt: 60_000 },
    changed,
  ])
  await registrations.disable('juliet', app)
  assert.deepEqual(await nodes(new Registrations(host, 2)), [])
})

const bookmark = (notify: string, nick = 'JuliC') =>
  `<conference xmlns='urn:xmpp:bookmarks:1'><nick>${nick}</nick><extensions><notify xmlns='urn:xmpp:notification-settings:1'>${notify}</notify></extensions></conference>`
const room = 'vault@rooms.example'
const inRoom = (words: string, more = '', nick = 'romeo') => said(words, `${room}/${nick}`, 'groupchat', more)

/** Settings of an account with these bookmarks, and a way to change them. */
async function settingsWith(bookmarks: Record<string, string>) {
  let items: readonly PepItem[] = []
  let changed = (): void => {}
  let reads = 0
  const change = (to: Record<string, string>) => {
    items = Object.entries(to).map(([id, xml]) => ({ id, payload: parseElement(xml) }))
    changed()
  }
  const pep: Pick<Pep, 'items' | 'watch'> = {
    items: () => (reads++, Promise.resolve(items)),
    watch: (node, on) => {
      assert.equal(node, 'urn:xmpp:bookmarks:1')
      changed = () => void on({ account: juliet, node })
      return () => (changed = () => {})
    },
  }
  const module = defineModule({
    name: 'pep',
    summary: '',
    xeps: [],
    options: options({}),
    setup: () => ({ provides: [{ key: pepKey, value: pep }] }),
  })
  const { host } = await Stage.with(module)
  change(bookmarks)
  const settings = new Settings(host)
  return { allows: (stanza: Stanza) => settings.allow(juliet, stanza), change, reads: () => reads }
}

test('XEP-0492 §2.1: a chat that is muted wakes nobody, until that changes', async () => {
  const { allows, change, reads } = await settingsWith({
    'tybalt@capulet.example': bookmark('<never/>'),
    [room]: bookmark('<never/>'),
  })
  assert.equal(await allows(said('hist')), true)
  assert.equal(await allows(said('hist', 'tybalt@capulet.example/x')), false)
  assert.equal(await allows(inRoom('JuliC: hist')), false)
  assert.equal(reads(), 1)
  change({ [room]: bookmark('<always/>') })
  assert.equal(await allows(said('hist', 'tybalt@capulet.example/x')), true)
  assert.equal(await allows(inRoom('hist')), true)
  assert.equal(reads(), 2)
})

test('XEP-0492 §3: on-mention means the name, a mention or a reply, and nothing else', async () => {
  const { allows } = await settingsWith({
    [room]: bookmark('<on-mention/>'),
    'a@b.example': bookmark('<on-mention/>'),
  })
  const reference = (uri: string, type = 'mention') =>
    `<reference xmlns='urn:xmpp:reference:0' type='${type}' uri='${uri}'/>`
  for (const [words, more] of [
    ['julic, look', ''],
    ['(JuliC)', ''],
    ['xJuliC and JULIC', ''],
    ['she', reference(`xmpp:${juliet.toString()}`)],
    ['she', reference(`xmpp:${juliet.toString()}?message`)],
    ['yes', `<reply xmlns='urn:xmpp:reply:0' to='${room}/JuliC' id='1'/>`],
  ] as const)
    assert.equal(await allows(inRoom(words, more)), true, words + more)
  for (const [words, more] of [
    ['xJuliC', ''],
    ['JuliCo and äjulic', ''],
    ['she', reference('xmpp:romeo@montague.example')],
    ['she', reference(`xmpp:${juliet.toString()}`, 'data')],
    ['yes', `<reply xmlns='urn:xmpp:reply:0' to='${room}/romeo' id='1'/>`],
  ] as const)
    assert.equal(await allows(inRoom(words, more)), false, words + more)
  // Among two, everything is meant for the other.
  assert.equal(await allows(said('hist', 'a@b.example/x')), true)
})

test('XEP-0492 §3: the setting most specific for a phone counts; XEP-0045 §7.4: own words are no news', async () => {
  const { allows, change } = await settingsWith({})
  const cases = [
    [`<never/><always identity-category='client' identity-type='phone'/>`, true],
    [`<always identity-category='client' identity-type='phone'/><never/>`, true],
    [`<always/><never identity-category='client'/>`, false],
    [`<never identity-category='client'/><always identity-category='client' identity-type='phone'/>`, true],
    [`<never identity-category='client' identity-type='pc'/><always/>`, true],
    [`<never identity-category='gateway'/>`, true],
    [`<never identity-type='phone'/>`, true],
    [`<sometimes/>`, true],
    ['', true],
  ] as const
  for (const [notify, expected] of cases) {
    change({ [room]: bookmark(notify) })
    assert.equal(await allows(inRoom('hist')), expected, notify)
  }
  assert.equal(await allows(inRoom('hist', '', 'JuliC')), false)
})

test('settings that cannot be read forbid nothing, and are read again', async () => {
  let broken = true
  const pep: Pick<Pep, 'items' | 'watch'> = {
    items: () =>
      broken
        ? Promise.reject(new StorageUnavailable('away'))
        : Promise.resolve([{ id: room, payload: parseElement(bookmark('<never/>')) }]),
    watch: () => () => {},
  }
  const module = defineModule({
    name: 'pep',
    summary: '',
    xeps: [],
    options: options({}),
    setup: () => ({ provides: [{ key: pepKey, value: pep }] }),
  })
  const settings = new Settings((await Stage.with(module)).host)
  assert.equal(await settings.allow(juliet, inRoom('hist')), true)
  broken = false
  assert.equal(await settings.allow(juliet, inRoom('hist')), false)
})

test('push list: what an account has enabled, and how it went', async () => {
  const stage = await Stage.with(push)
  const client = await stage.client(`${juliet.toString()}/phone`)
  const list = () => stage.host.tables.commands.find(({ name }) => name === 'push list')!
  const text = async () => (await list().run({ account: juliet }, { by: 'test' })).text
  assert.equal(await text(), 'none')
  await client.asks('set', `<enable xmlns='urn:xmpp:push:0' jid='${app}' node='n1'/>`)
  assert.equal(await text(), `phone: ${app}, enabled 2030-01-01T00:00:00.000Z`)
  await new Registrations(stage.host, 20).note(
    'juliet',
    (await registered(stage))!,
    3,
    stage.clock.now() + 60_000,
  )
  await stage.load(push) // reads it again
  assert.equal(
    await text(),
    `phone: ${app}, enabled 2030-01-01T00:00:00.000Z, 3 failures in a row, not tried before 2030-01-01T00:01:00.000Z`,
  )
})

const registered = async ({ host }: Stage) => (await new Registrations(host, 20).of('juliet'))[0]
