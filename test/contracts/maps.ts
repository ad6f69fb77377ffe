/** What every store of small values must do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stores } from '../../src/storage/stores.js'

export function mapsContract(open: () => Stores, domainOf: () => string): void {
  test('values are what JSON can say', async () => {
    const notes = open().map<unknown>(domainOf(), 'notes')
    const values = [
      { at: 1.5, list: [null, true, { deep: [] }], text: '"\\ \u00e9 \u{1f339}' },
      JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}'),
      'a \0 zero and a lone \ud800 surrogate',
      '',
      0,
      null,
      [],
    ]
    for (const value of values) {
      await notes.set('romeo', value)
      assert.deepEqual(await notes.get('romeo'), value)
      assert.equal(JSON.stringify(await notes.get('romeo')), JSON.stringify(value))
    }
  })

  test('a value that is changed later does not change in the store', async () => {
    const notes = open().map<{ list: number[] }>(domainOf(), 'notes')
    const value = { list: [1] }
    await notes.set('romeo', value)
    value.list.push(2)
    assert.deepEqual(await notes.get('romeo'), { list: [1] })
  })

  test('domains, modules and keys are apart', async () => {
    const [one, two] = [domainOf(), domainOf()]
    const places = [
      [one, 'notes', 'romeo'],
      [two, 'notes', 'romeo'],
      [one, 'vcard', 'romeo'],
      [one, 'notes', 'juliet'],
      [one, 'notes', 'romeo urn:example:a'],
      [one, 'notes', 'romeo urn:example:b c'],
      [one, 'notes', 'constructor'],
    ] as const
    for (const [domain, module, key] of places) {
      const map = open().map<string>(domain, module)
      assert.equal(await map.get(key), undefined)
      await map.set(key, `${domain} ${module} ${key}`)
    }
    for (const [domain, module, key] of places) {
      assert.equal(await open().map<string>(domain, module).get(key), `${domain} ${module} ${key}`)
    }
  })

  test('many values at once, over those that were there', async () => {
    const domain = domainOf()
    const notes = open().map<unknown>(domain, 'notes')
    await notes.set('romeo', 'old')
    await notes.set('romeo ns', 'kept')
    await notes.setMany(new Map())
    await notes.setMany(
      new Map<string, unknown>([
        ['romeo', { at: 1 }],
        ['juliet ns "1"', '{"\\,'],
        ['nurse', null],
      ]),
    )
    assert.deepEqual(await notes.get('romeo'), { at: 1 })
    assert.equal(await notes.get('romeo ns'), 'kept')
    assert.equal(await notes.get('juliet ns "1"'), '{"\\,')
    assert.equal(await notes.get('nurse'), null)
    assert.equal(await open().map(domain, 'other').get('romeo'), undefined)
  })

  test('of several that keep a value where there is none, all get the same', async () => {
    const domain = domainOf()
    const kept = await Promise.all(
      [1, 2, 3, 4, 5].map((value) => open().map<number>(domain, 'notes').keep(' secret', value)),
    )
    const there = await open().map<number>(domain, 'notes').get(' secret')
    assert.deepEqual(kept, Array(5).fill(there))
    assert.equal(await open().map<number>(domain, 'notes').keep(' secret', 9), there)
  })

  test('a deleted value is gone, and deleting it again is no error', async () => {
    const notes = open().map<string>(domainOf(), 'notes')
    await notes.set('romeo', 'one')
    await notes.set('romeo ns', 'two')
    await notes.delete('romeo')
    await notes.delete('romeo')
    assert.equal(await notes.get('romeo'), undefined)
    assert.equal(await notes.get('romeo ns'), 'two')
  })
}
