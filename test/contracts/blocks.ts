/** What every store of blocked domains must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block } from '../../src/storage/blocks.js'
import type { Stores } from '../../src/storage/stores.js'

export function blocksContract(open: () => Stores, domainOf: () => string): void {
  const at = Date.UTC(2030, 0, 1, 0, 0, 0, 123)
  const block = (domain: string, more: Partial<Block> = {}): Block => ({
    domain,
    reason: '',
    since: at,
    expires: undefined,
    ...more,
  })
  /** Those of the domains of one test. */
  const found = async (...domains: string[]) =>
    (await open().blocks.all()).filter(({ domain }) => domains.includes(domain))

  test('blocks are found as they were put, sorted by domain', async () => {
    const { blocks } = open()
    const [one, two] = [domainOf(), domainOf()].map((domain) => `*.${domain}`) as [string, string]
    const reason = 'spam: "\u{1f339}" \\ NULL'
    await blocks.put(block(two, { reason, expires: at + 1 }))
    await blocks.put(block(one))
    assert.deepEqual(await found(one, two), [block(one), block(two, { reason, expires: at + 1 })])
  })

  test('the later block of a domain replaces the earlier', async () => {
    const { blocks } = open()
    const domain = domainOf()
    await blocks.put(block(domain, { reason: 'first', expires: at }))
    await blocks.put(block(domain, { reason: 'second', since: at + 5 }))
    assert.deepEqual(await found(domain), [block(domain, { reason: 'second', since: at + 5 })])
  })

  test('a removed block is gone, and removing it again is told', async () => {
    const { blocks } = open()
    const domain = domainOf()
    await blocks.put(block(domain))
    assert.equal(await blocks.remove(`*.${domain}`), false)
    assert.equal(await blocks.remove(domain), true)
    assert.equal(await blocks.remove(domain), false)
    assert.deepEqual(await found(domain), [])
  })

  test('what expired is removed, what expires later or never stays', async () => {
    const { blocks } = open()
    const [past, now, later, never] = [domainOf(), domainOf(), domainOf(), domainOf()] as const
    await blocks.put(block(past, { expires: at - 1 }))
    await blocks.put(block(now, { expires: at }))
    await blocks.put(block(later, { expires: at + 1 }))
    await blocks.put(block(never))
    await blocks.removeExpired(at)
    const left = (await found(past, now, later, never)).map(({ domain }) => domain)
    assert.deepEqual(left, [later, never])
  })
}
