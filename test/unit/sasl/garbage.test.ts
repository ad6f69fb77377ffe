import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mechanisms, offerable } from '../../../src/sasl/mechanisms.js'
import { ScramClient } from './client.js'
import { context, mechanism, told } from './stage.js'

for (const one of mechanisms) {
  test(`${one.name} survives any bytes at any step and never lets them in`, async () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
    const nearly = fc
      .stringMatching(/^[nyp]=?,(a=[a-z@.]*)?,(n=romeo,r=[a-z]*)?[,=a-z\0]*$/)
      .map((text) => Buffer.from(text))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(bytes, nearly), { maxLength: 4 }), async (messages) => {
        const exchange = one.begin(context())
        for (const message of messages) {
          const step = await exchange.step(message)
          if (one.name !== 'ANONYMOUS') assert.notEqual(step.outcome, 'success')
        }
      }),
      { numRuns: 200 },
    )
  })
}

test('a final message changed in any one byte is refused', async () => {
  const client = new ScramClient({ user: 'romeo', password: 'pencil', hash: 'SHA-256' })
  let length = 1
  for (let at = 0; at < length; at++) {
    const exchange = mechanism('SCRAM-SHA-256').begin(context())
    const step = await exchange.step(client.first())
    assert.ok(step.outcome === 'continue')
    const final = client.final(step.data)
    length = final.length
    final[at]! ^= 1
    assert.match(told(await exchange.step(final)), /^failure/, `byte ${at}`)
  }
})

test('-PLUS can be offered only where something can be bound', () => {
  const enabled = ['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS', 'PLAIN']
  const names = (bindings: Parameters<typeof offerable>[1]) =>
    offerable(enabled, bindings).map((one) => one.name)
  assert.deepEqual(names(undefined), ['SCRAM-SHA-1', 'PLAIN'])
  const bound = { types: ['tls-exporter'], data: () => undefined }
  assert.deepEqual(names(bound), ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1', 'PLAIN'])
})
