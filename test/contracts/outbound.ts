/** What every outbound store must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OutboundMessage, StoredOutbound } from '../../src/storage/outbound.js'
import type { Stores } from '../../src/storage/stores.js'

const at = Date.UTC(2030, 0, 1, 12, 30, 15, 123)

export function outboundContract(open: () => Stores, domainOf: () => string): void {
  const message = (sender: string, target: string, stanza: string): OutboundMessage => ({
    sender,
    target,
    stanza,
    at,
  })

  /** All messages of a sender, page by page. */
  async function stored(sender: string): Promise<StoredOutbound[]> {
    const all: StoredOutbound[] = []
    for (let after = 0, more = true; more;) {
      const page = await open().outbound.read(after, 7)
      all.push(...page)
      after = page.at(-1)?.id ?? 0
      more = page.length === 7
    }
    return all.filter((one) => one.sender === sender)
  }

  test('messages come back as they were given, in order within each pair', async () => {
    const { outbound } = open()
    const sender = domainOf()
    const targets = [domainOf(), domainOf(), domainOf()]
    const given = Array.from({ length: 60 }, (_, i) =>
      message(
        sender,
        targets[i % 3]!,
        `<message id='${i}'><body>"\\ {,} \u00e9 \u{1f339} NULL\n</body></message>`,
      ),
    )
    const ids = await Promise.all(given.map((one) => outbound.append(one)))
    assert.equal(new Set(ids).size, ids.length)
    const read = await stored(sender)
    assert.deepEqual(
      read.map(({ id }) => id),
      [...ids].sort((one, other) => one - other),
    )
    for (const target of targets) {
      assert.deepEqual(
        read.filter((one) => one.target === target).map(({ stanza, at }) => ({ sender, target, stanza, at })),
        given.filter((one) => one.target === target),
      )
    }
  })

  test('what is removed is gone, also twice, and nothing else', async () => {
    const { outbound } = open()
    const sender = domainOf()
    const ids: number[] = []
    for (let i = 0; i < 5; i++) ids.push(await outbound.append(message(sender, 'peer.example', `${i}`)))
    await Promise.all([ids[0]!, ids[3]!, ids[0]!].map((id) => outbound.remove(id)))
    assert.deepEqual(
      (await stored(sender)).map(({ stanza }) => stanza),
      ['1', '2', '4'],
    )
    await outbound.remove(2 ** 40)
    assert.equal((await stored(sender)).length, 3)
  })
}
