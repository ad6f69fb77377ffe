/** What every store of parked sessions must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ParkedSession, StoredParked } from '../../src/storage/parked.js'
import type { Stores } from '../../src/storage/stores.js'

export function parkedContract(open: () => Stores, domainOf: () => string): void {
  const until = Date.UTC(2030, 0, 1, 0, 0, 0, 123)
  const session = (id: string, domain: string, more: Partial<ParkedSession> = {}): ParkedSession => ({
    id,
    domain,
    account: 7,
    until,
    state: '{"text":"\\u0000 \u{1f339} \\\\ NULL {,}"}',
    queue: '[]',
    ...more,
  })

  /** Those of one test, page by page. */
  async function stored(domain: string): Promise<StoredParked[]> {
    const all: StoredParked[] = []
    for (let after = '', more = true; more;) {
      const page = await open().parked.read(after, 3)
      all.push(...page)
      after = page.at(-1)?.id ?? ''
      more = page.length === 3
    }
    return all.filter((one) => one.domain === domain)
  }

  test('sessions come back as they were, in bytewise order of their ids', async () => {
    const { parked } = open()
    const domain = domainOf()
    const given = ['b', 'B', '_', '-', 'a0', 'a', 'z', 'Z'].map((id) => session(`${id}-${domain}`, domain))
    await parked.save(given)
    const expected = [...given].sort((one, other) => (one.id < other.id ? -1 : 1))
    assert.deepEqual(
      await stored(domain),
      expected.map((one) => ({ ...one, stale: false })),
    )
  })

  test('many sessions with long queues are saved at once', async () => {
    const { parked } = open()
    const domain = domainOf()
    const queue = JSON.stringify(['x'.repeat(100_000)])
    const given = Array.from({ length: 90 }, (_, i) => session(`${i}-${domain}`, domain, { queue }))
    await parked.save(given)
    assert.equal((await stored(domain)).length, 90)
    await parked.save([])
    await parked.remove(given.map(({ id }) => id))
    assert.deepEqual(await stored(domain), [])
  })

  test('a session that is saved again replaces the one before', async () => {
    const { parked } = open()
    const domain = domainOf()
    await parked.save([session(`1-${domain}`, domain)])
    await parked.claim()
    const next = session(`1-${domain}`, domain, { until: until + 5, state: '1', queue: '[2]', account: 8 })
    await parked.save([next])
    assert.deepEqual(await stored(domain), [{ ...next, stale: false }])
  })

  test('what was claimed is stale, and what is removed is gone', async () => {
    const { parked } = open()
    const domain = domainOf()
    await parked.save([session(`1-${domain}`, domain), session(`2-${domain}`, domain)])
    await parked.claim()
    await parked.save([session(`3-${domain}`, domain)])
    assert.deepEqual(
      (await stored(domain)).map(({ id, stale }) => [id[0], stale]),
      [
        ['1', true],
        ['2', true],
        ['3', false],
      ],
    )
    await parked.remove([`1-${domain}`, `3-${domain}`, 'unheard-of'])
    assert.deepEqual(
      (await stored(domain)).map(({ id }) => id[0]),
      ['2'],
    )
  })
}
