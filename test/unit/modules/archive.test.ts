/** The archive in the hands of the admin, and what other modules may ask of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stage } from './stage.js'
import { CommandError } from '../../../src/host/command.js'
import { archiveKey } from '../../../src/modules/archive/api.js'
import archive from '../../../src/modules/archive/index.js'
import { Jid } from '../../../src/stanza/jid.js'
import { firstOf } from '../../../src/storage/archive-ids.js'

const juliet = Jid.parse('juliet@capulet.example')
const all = { from: 'start', count: 10, bytes: 1 << 20 } as const

/** Two messages in the archive of Juliet. */
async function kept() {
  const stage = await Stage.with(archive)
  await stage.client(`${juliet.toString()}/balcony`)
  const owner = (await stage.host.account('juliet'))!.id
  const ids = ['a', 'b'].map((body) => {
    const stanza = `<message xmlns='jabber:client' from='a@b' id='${body}'><body>${body}</body></message>`
    const entry = { owner, with: 'a@b', resource: '', groupchat: false, stanza, origin: undefined }
    return stage.stores.archive.add(entry, {}).id
  })
  return { stage, owner, ids, archive: stage.host.service(archiveKey) }
}

test('archive purge removes what an account has, or what it had before a day', async () => {
  const { stage, owner } = await kept()
  const purge = stage.host.tables.commands.find(({ name }) => name === 'archive purge')!
  const run = async (args: Record<string, string>) =>
    (await purge.run(purge.args.parse(args), { by: 'a test' })).text
  const account = juliet.toString()
  assert.equal(purge.role, 'admin')
  assert.match(purge.destroys!(purge.args.parse({ account })), /all messages in the archive of juliet/)
  assert.equal(await run({ account, before: '2001-01-01' }), `Removed 0 messages of ${account}.`)
  assert.equal((await stage.stores.archive.page(owner, {}, all)).messages.length, 2)
  assert.equal(await run({ account, before: '9999-12-31T00:00:00Z' }), `Removed 2 messages of ${account}.`)
  assert.equal(await run({ account }), `Removed 0 messages of ${account}.`)
  await assert.rejects(run({ account, before: 'yesterday' }), CommandError)
  await assert.rejects(run({ account: 'nobody@capulet.example' }), CommandError)
})

test('other modules learn what is there, and can take the content of a message away', async () => {
  const { stage, owner, ids, archive } = await kept()
  const nobody = Jid.parse('nobody@capulet.example')
  const ends = await archive.metadata(juliet)
  assert.deepEqual([ends.start?.id, ends.end?.id], ids)
  assert.deepEqual(await archive.metadata(nobody), {})
  const missing = firstOf(0)
  assert.deepEqual(
    [
      await archive.has(juliet, ids[0]!),
      await archive.has(juliet, missing),
      await archive.has(juliet, 'no id'),
      await archive.has(nobody, ids[0]!),
    ],
    [true, false, false, false],
  )
  assert.equal(await archive.tombstone(juliet, ids[0]!, 'moderation'), true)
  for (const id of [missing, 'no id']) assert.equal(await archive.tombstone(juliet, id, 'x'), false)
  assert.equal(await archive.tombstone(nobody, ids[0]!, 'x'), false)
  const [first, second] = (await stage.stores.archive.page(owner, {}, all)).messages
  assert.match(
    first!.stanza,
    /<retracted xmlns="urn:xmpp:message-retract:1" id="moderation" stamp="[^"]+Z"\/>/,
  )
  assert.doesNotMatch(first!.stanza, /body/)
  assert.match(second!.stanza, /<body>b<\/body>/)
})
