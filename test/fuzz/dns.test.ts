/** Whatever comes back from a DNS server, the resolver answers or fails in its own words, within its time. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'
import { test } from 'node:test'
import * as packet from 'dns-packet'
import fc from 'fast-check'
import { realClock } from '../../src/base/clock.js'
import { systemRandom } from '../../src/base/random.js'
import { queryFor, readReply } from '../../src/dns/message.js'
import type { Kinds } from '../../src/dns/message.js'
import { DnsError, Resolver } from '../../src/dns/resolver.js'

const types = ['A', 'AAAA', 'SRV', 'TLSA', 'CAA'] as const
const name = 'a.test'

/** A good reply with every kind of record in every section. */
function reply(type: keyof Kinds, id: number): Buffer {
  const soa = { mname: 'ns.test', rname: 'admin.test', minimum: 60 }
  const records: packet.Answer[] = [
    { name, type: 'A', ttl: 300, data: '192.0.2.1' },
    { name, type: 'AAAA', ttl: 300, data: '2001:db8::1' },
    { name, type: 'SRV', ttl: 300, data: { priority: 1, weight: 1, port: 5269, target: 'b.test' } },
    {
      name,
      type: 'TLSA',
      ttl: 300,
      data: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.alloc(32) },
    },
    { name, type: 'CAA', ttl: 300, data: { tag: 'issue', value: 'ca.example' } },
    { name, type: 'TXT', ttl: 300, data: 'text' },
  ]
  return packet.encode({
    type: 'response',
    id,
    questions: [{ name, type }],
    answers: [{ name, type: 'CNAME', ttl: 300, data: name }, ...records],
    authorities: [{ name, type: 'SOA', ttl: 300, data: soa }],
    additionals: records,
  })
}

function check(bytes: Buffer, type: keyof Kinds): void {
  const read = readReply(bytes, 7, queryFor(name, type))
  if (read?.is !== 'records') return
  assert.ok(read.records.length > 0 && read.ttl >= 0 && read.ttl <= 0x7fffffff)
  for (const record of read.records) {
    if ('address' in record) assert.equal(isIP(record.address), record.family)
    if ('target' in record) assert.equal(typeof record.target, 'string')
    if ('data' in record) assert.ok(Buffer.isBuffer(record.data))
  }
}

test('no bytes make reading a reply throw', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...types),
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(500),
      fc.boolean(),
      (type, noise, at, cut) => {
        const good = reply(type, 7)
        check(good, type)
        check(Buffer.from(noise), type)
        const damaged = Buffer.from(good)
        const start = 12 + (at % (good.length - 12))
        damaged.set(noise.subarray(0, good.length - start), start)
        check(cut ? damaged.subarray(0, start + noise.length) : damaged, type)
        check(Buffer.concat([good.subarray(0, 12), noise]), type)
      },
    ),
    { numRuns: 2000 },
  )
})

test('a name server gone mad makes the resolver fail in its own words only', async (t) => {
  const socket = createSocket('udp4')
  let next: (question: Buffer) => Buffer = (question) => question
  socket.on('message', (message, from) => socket.send(next(message), from.port, from.address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  const resolver = new Resolver({
    servers: () => [{ host: '127.0.0.1', port: socket.address().port }],
    timeout: () => 100,
    clock: realClock,
    random: systemRandom,
  })
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(300),
      fc.constantFrom(0, 2, 3, 5, 9, 15),
      async (noise, at, code) => {
        next = (question) => {
          const damaged = reply('SRV', question.readUInt16BE(0))
          const start = 4 + (at % (damaged.length - 4))
          damaged.set(noise.subarray(0, damaged.length - start), start)
          damaged[3] = code
          return damaged
        }
        resolver.clear()
        try {
          await resolver.srv(name)
        } catch (error) {
          assert.ok(error instanceof DnsError, String(error))
        }
      },
    ),
    { numRuns: 60 },
  )
})
