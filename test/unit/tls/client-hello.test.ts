import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readClientHello } from '../../../src/tls/client-hello.js'
import { helloOf } from './stage.js'

const hello = helloOf('example.org')

test('the name is read from a real ClientHello, and only from a whole one', () => {
  assert.deepEqual(readClientHello(hello), { serverName: 'example.org' })
  assert.deepEqual(readClientHello(Buffer.concat([hello, Buffer.from('more')])), {
    serverName: 'example.org',
  })
  for (let length = 0; length < hello.length; length++)
    assert.equal(readClientHello(hello.subarray(0, length)), 'more', `${length} bytes`)
})

test('a ClientHello in many small records is put together', () => {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += 7) {
    const part = message.subarray(at, at + 7)
    records.push(Buffer.of(22, 3, 1, 0, part.length), part)
  }
  assert.deepEqual(readClientHello(Buffer.concat(records)), { serverName: 'example.org' })
})

test('a client that names nobody has no name', () => {
  assert.deepEqual(readClientHello(helloOf('')), { serverName: undefined })
})

test('what is not TLS is known by its first bytes', () => {
  for (const text of ['<auth/>', ' ', 'GET / HTTP/1.1', '\u0016\u0002'])
    assert.equal(readClientHello(Buffer.from(text)), 'not TLS', text)
  assert.equal(readClientHello(Buffer.of(22, 3, 1, 0xff, 0xff)), 'not TLS')
})

test('endless small records do not keep it waiting for ever', () => {
  const record = Buffer.of(22, 3, 1, 0, 0)
  const many = Buffer.concat(Array.from({ length: 5000 }, () => record))
  assert.deepEqual(readClientHello(many), { serverName: undefined })
})

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(hello.length), (noise, at) => {
      readClientHello(Buffer.from(noise))
      const damaged = Buffer.from(hello)
      damaged.set(noise.subarray(0, hello.length - at), at)
      readClientHello(damaged)
      readClientHello(Buffer.concat([hello.subarray(0, at), noise]))
    }),
  )
})
