/** The commands about clients that log in with a token. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serving } from './line.js'

const phone = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: 'Quill', device: 'Phone' }
const laptop = { id: '9c5b94b1-35ad-49bb-b118-8e8fc24abf80', software: undefined, device: undefined }

test('tokens are listed by client and taken away from one or all', async () => {
  const { parley, services } = await serving()
  await parley('user add ana --generate')
  const { id } = (await services.accounts.get('example.org', 'ana'))!
  const tokens = services.tokens as typeof services.tokens & {
    issue: (...args: unknown[]) => Promise<boolean>
  }
  const issuedAt = Date.UTC(2030, 0, 1)
  for (const client of [phone, laptop]) {
    const seed = Buffer.from(client.id)
    await tokens.issue(id, client, {
      seed,
      mechanism: 'HT-SHA-256-NONE',
      issuedAt,
      expiresAt: issuedAt + 1e9,
    })
  }
  const { out } = await parley('user tokens ana')
  assert.match(out, /^CLIENT .*\n/)
  assert.match(
    out,
    new RegExp(`\n?${phone.id} +Quill, Phone +HT-SHA-256-NONE +2030-01-01T00:00:00Z .* not yet`),
  )
  assert.match(out, /\n2 tokens\n?$/)
  const listed = JSON.parse((await parley('user tokens ana --json')).out) as {
    client: string
    software: unknown
  }[]
  assert.deepEqual(listed.map(({ client }) => client).sort(), [laptop.id, phone.id])
  assert.ok(!out.includes(Buffer.from(phone.id).toString('base64')))

  assert.match(
    (await parley(`user revoke ana --client ${phone.id.toUpperCase()}`)).out,
    /tokens of 1 client taken/,
  )
  const again = await parley(`user revoke ana --client ${phone.id}`)
  assert.equal(again.code, 1)
  assert.match(again.error, /no client .* of ana@example\.org has a token\n +parley user tokens/)
  assert.match((await parley('user revoke ana')).out, /tokens of 1 client taken away/)
  assert.match((await parley('user revoke ana')).out, /tokens of 0 clients taken away/)
  assert.match((await parley('user tokens ana')).out, /^0 tokens\n?$/)
})
