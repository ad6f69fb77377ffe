/** XEP-0059: what a request asks for, and what is answered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StanzaError } from '../../../src/stanza/errors.js'
import { pageInfo, pageRequestOf } from '../../../src/stanza/rsm.js'
import { parseElement } from '../../../src/xml/parser.js'

const asked = (content: string) =>
  pageRequestOf(parseElement(`<query><set xmlns='http://jabber.org/protocol/rsm'>${content}</set></query>`))
const nothing = { max: undefined, after: undefined, before: undefined, index: undefined }

test('XEP-0059 §2: what is asked for', () => {
  assert.deepEqual(pageRequestOf(parseElement('<query/>')), nothing)
  assert.deepEqual(pageRequestOf(parseElement(`<query><set><max>1</max></set></query>`)), nothing)
  assert.deepEqual(asked(''), nothing)
  assert.deepEqual(asked('<max>10</max>'), { ...nothing, max: 10 })
  assert.deepEqual(asked('<max> 0\n</max>'), { ...nothing, max: 0 })
  assert.deepEqual(asked('<after>a b</after>'), { ...nothing, after: 'a b' })
  assert.deepEqual(asked('<after/>'), nothing)
  assert.deepEqual(asked('<before/>'), { ...nothing, before: '' })
  assert.deepEqual(asked('<before>x</before><max>3</max>'), { ...nothing, before: 'x', max: 3 })
  assert.deepEqual(asked('<index>371</index>'), { ...nothing, index: 371 })
  assert.equal(asked(`<max>${'9'.repeat(400)}</max>`).max, Number.MAX_SAFE_INTEGER)
})

test('XEP-0059: what cannot be meant is bad-request', () => {
  for (const content of [
    '<max/>',
    '<max>-1</max>',
    '<max>1.5</max>',
    '<max>ten</max>',
    '<max>0x10</max>',
    '<index/>',
    '<index>-1</index>',
    '<index>1</index><after>x</after>',
    '<index>1</index><before/>',
  ])
    assert.throws(
      () => asked(content),
      (error) => error instanceof StanzaError && error.condition === 'bad-request',
      content,
    )
})

test('XEP-0059 §2.2, §2.7: what is said of a page', () => {
  const rsm = (content: string) => `<set xmlns="http://jabber.org/protocol/rsm">${content}</set>`
  assert.equal(pageInfo({ count: 0 }).toString(), rsm('<count>0</count>'))
  assert.equal(
    pageInfo({ first: 'a', last: 'b', index: 0, count: 7 }).toString(),
    rsm('<first index="0">a</first><last>b</last><count>7</count>'),
  )
  assert.equal(pageInfo({ first: 'a', last: 'a' }).toString(), rsm('<first>a</first><last>a</last>'))
})
