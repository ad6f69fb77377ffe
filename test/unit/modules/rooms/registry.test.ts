import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandClock } from '../../../../src/base/clock.js'
import type { Host } from '../../../../src/host/host.js'
import { Features } from '../../../../src/modules/rooms/feature.js'
import { RoomConfig } from '../../../../src/modules/rooms/fields.js'
import type { Client } from '../../../../src/modules/rooms/occupant.js'
import { Registry } from '../../../../src/modules/rooms/registry.js'
import type { RoomService } from '../../../../src/modules/rooms/service.js'
import { Jid } from '../../../../src/stanza/jid.js'
import { memoryStores } from '../../../../src/storage/memory.js'

function open() {
  const opened: string[] = []
  const service = {
    address: Jid.parse('conference.example.org'),
    host: { clock: new HandClock() } as unknown as Host,
    store: memoryStores().rooms,
    features: new Features([{ name: 'log', opened: (room) => void opened.push(room.jid.local) }]),
  } as unknown as RoomService
  const registry = new Registry(service)
  const owner = Jid.parse('ana@example.org')
  const make = async (local: string, owners = [owner]) => {
    const config = new RoomConfig({ 'muc#roomconfig_persistentroom': true })
    const founded = await registry.create({
      local,
      creator: owner,
      owners,
      config,
      locked: false,
      most: Infinity,
    })
    assert.ok(founded.isNew)
    return founded.room
  }
  return { registry, make, opened, store: service.store }
}

const sizeOf = (registry: Registry) => [...registry.loaded].length

test('idle rooms weigh so much at most; those unused for longest leave memory, and come back when asked for', async () => {
  const { registry, make, opened } = open()
  const used = await make('used')
  used.clients.set('somebody', {} as Client)
  for (let i = 0; i < 1999; i++) await make(`room${i}`)
  assert.equal(sizeOf(registry), 2000)
  const first = await registry.get('room0')
  assert.equal(opened.length, 2000, 'all of them are there')
  await make('onemore')
  await make('another')
  assert.ok(sizeOf(registry) <= 2001)
  assert.equal(await registry.get('room0'), first, 'used of late')
  assert.equal(first?.over, false)
  const before = opened.length
  const again = await registry.get('room1')
  assert.equal(opened.length, before + 1, 'it was not in memory')
  assert.equal(again?.persistent, true)
  assert.equal(again.affiliationOf(Jid.parse('ana@example.org')), 'owner')
  for (let i = 0; i < 2500; i++) await make(`further${i}`)
  assert.equal(used.over, false)
  assert.equal(registry.get('used'), used, 'somebody is in')
  assert.ok(sizeOf(registry) <= 2001)
})

test('a room with many standings takes the place of many', async () => {
  const { registry, make } = open()
  for (let i = 0; i < 1000; i++) await make(`room${i}`)
  const many = Array.from({ length: 3000 }, (_, i) => Jid.parse(`a${i}@example.org`))
  await make('large', many)
  assert.ok(sizeOf(registry) <= 501, String(sizeOf(registry)))
  assert.ok([...registry.loaded].some(({ jid }) => jid.local === 'large'))
})

test('what is busy stays', async () => {
  const { make } = open()
  const busy = await make('busy')
  let done = (): void => undefined
  const turn = busy.turn(() => new Promise<void>((resolve) => (done = resolve)))
  for (let i = 0; i < 2100; i++) await make(`room${i}`)
  assert.equal(busy.over, false)
  done()
  await turn
})

test('a room that ends is gone at once, and one that cannot be removed is not', async () => {
  const { registry, make, store } = open()
  const room = await make('hall')
  const remove = store.remove.bind(store)
  store.remove = () => Promise.reject(new Error('away'))
  await assert.rejects(registry.end(room))
  assert.equal(room.over, false)
  assert.equal(registry.get('hall'), room)
  store.remove = remove
  await registry.end(room)
  assert.equal(room.over, true)
  assert.equal(await registry.get('hall'), undefined)
})

test('two who make the same room make one', async () => {
  const { registry } = open()
  const owner = Jid.parse('ana@example.org')
  const founding = {
    local: 'hall',
    creator: owner,
    owners: [owner],
    config: new RoomConfig(),
    locked: true,
    most: 9,
  }
  const [one, other] = await Promise.all([registry.create(founding), registry.create(founding)])
  assert.equal(one.room, other.room)
  assert.deepEqual([one.isNew, other.isNew], [true, false])
})
