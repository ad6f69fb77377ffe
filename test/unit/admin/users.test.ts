/** The commands about accounts: what they may do, and what they do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serving } from './line.js'

test('roles are given with the account or later, shown, listed and taken away', async () => {
  const { parley } = await serving()
  assert.match((await parley('user add ana --admin --generate')).out, /can log in now, and is an admin\./)
  await parley('user add bea --generate')
  assert.match((await parley('user role bea operator')).out, /^bea@example\.org is now an operator/)
  assert.match((await parley('user show ana')).out, /\nrole +admin\n/)
  const admins = JSON.parse((await parley('user list --domain example.org --only admins --json')).out) as {
    account: string
    role: string
  }[]
  assert.deepEqual(
    admins.map(({ account, role }) => [account, role]),
    [
      ['ana@example.org', 'admin'],
      ['bea@example.org', 'operator'],
    ],
  )
  assert.match((await parley('user role bea user')).out, /is a user like others\./)
  assert.match((await parley('user list --only admins')).out, /^ACCOUNT.*\nana.*\nexample\.org: 1 account\n/)
  assert.equal((await parley('user role bea king')).code, 2)
})

test('accounts are counted and listed by what they do', async () => {
  const { parley, sessions, clock } = await serving()
  for (const name of ['ana', 'bea', 'cid', 'dan']) await parley(`user add ${name} --generate`)
  await parley('user disable dan')
  const now = clock.now()
  sessions.push(
    { jid: 'bea@example.org/a', since: now, priority: 0, away: true },
    { jid: 'ana@example.org/a', since: now, priority: 0, away: true },
    { jid: 'ana@example.org/b', since: now, priority: 0 },
    { jid: 'cid@example.org/a', since: now },
  )
  const names = async (only: string) =>
    (await parley(`user list --domain example.org --only ${only}`)).out
      .split('\n')
      .flatMap((row) => /^(\w+)@/.exec(row)?.[1] ?? [])
      .join(' ')
  assert.equal(await names('disabled'), 'dan')
  assert.equal(await names('online'), 'ana bea cid')
  assert.equal(await names('active'), 'ana')
  assert.equal(await names('idle'), 'bea cid')
  assert.match((await parley('stats')).out, /\nexample\.org +4 +1 +3 +1 +2\nchat\.example +0 +0 +0 +0 +0$/)
})
