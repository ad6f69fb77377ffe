import assert from 'node:assert/strict'
import { test } from 'node:test'
import { broadcast } from '../../../../src/modules/rooms/fan-out.js'
import { Client, type Occupant } from '../../../../src/modules/rooms/occupant.js'
import type { Room } from '../../../../src/modules/rooms/room.js'
import { Jid } from '../../../../src/stanza/jid.js'
import { Stanza } from '../../../../src/stanza/stanza.js'
import { el } from '../../../../src/xml/element.js'

const from = Jid.parse('ball@conference.capulet.example/romeo')
const message = Stanza.of({ kind: 'message', type: 'groupchat', from }, el('body', undefined, {}, 'Soft!'))

/** A room with so many clients, and what it sends. */
function roomOf(size: number): { room: Room; sent: Stanza[] } {
  const sent: Stanza[] = []
  const clients = Array.from({ length: size }, (_, i) => {
    return new Client(Jid.parse(`guest@verona.example/${i}`), {} as Occupant, message)
  })
  const room = {
    clients: new Map(clients.map((client) => [client.jid.toString(), client])),
    service: { send: (stanza: Stanza) => sent.push(stanza) },
  }
  return { room: room as unknown as Room, sent }
}

test('all of five hundred have it at once, with one payload', () => {
  const { room, sent } = roomOf(500)
  assert.equal(
    broadcast(room, () => message),
    undefined,
  )
  assert.equal(sent.length, 500)
  assert.ok(sent.every(({ payload }) => payload === message.payload))
  assert.deepEqual(
    sent.map(({ to }) => to?.resource),
    Array.from({ length: 500 }, (_, i) => String(i)),
  )
})

test('of a thousand a hundred have it when somebody else gets a turn', async () => {
  const { room, sent } = roomOf(1000)
  const seen: number[] = []
  const looking = () => {
    seen.push(sent.length)
    if (sent.length < 1000) setImmediate(looking)
  }
  setImmediate(looking)
  await broadcast(room, () => message)
  assert.equal(sent.length, 1000)
  assert.deepEqual(seen.slice(0, 9), [100, 200, 300, 400, 500, 600, 700, 800, 900])
})

test('who is not to have it costs no turn', () => {
  const { room, sent } = roomOf(100)
  void broadcast(room, () => undefined)
  assert.equal(sent.length, 0)
})
