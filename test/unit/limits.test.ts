/** Each limit of the configuration has a metric and its three tests. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { bounds } from '../../src/base/limit-hits.js'
import type { Schema } from '../../src/base/schema.js'
import { serverSchema } from '../../src/config/server.js'
import { later, limits } from '../support/limits.js'

const tests = join(dirname(fileURLToPath(import.meta.url)), '../../../test')
const isLater = (name: string) => later.some((start) => name.startsWith(start))

test('every option of [limits] is in test/support/limits.ts, and no other', () => {
  const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const { fields } = serverSchema([]).fields['limits'] as Schema<unknown>
  const options = Object.keys(fields).map((name) => `limits.${snake(name)}`)
  assert.ok(options.includes('limits.c2s_stanza_size'))
  const listed = limits.map(({ name }) => name)
  assert.deepEqual(listed, [...new Set(listed)])
  assert.deepEqual(
    options.filter((name) => !listed.includes(name) && !isLater(name)),
    [],
    'options without tests',
  )
  assert.deepEqual(
    listed.filter((name) => name.startsWith('limits.') && (!options.includes(name) || isLater(name))),
    [],
    'tests without options, or that came sooner than thought',
  )
})

test('every metric of a limit is in test/support/limits.ts', () => {
  const metrics = new Set<string>(limits.map(({ metric }) => metric))
  assert.deepEqual(
    bounds.filter((bound) => !metrics.has(bound) && !isLater(`limits.${bound}`)),
    [],
  )
})

test('the tests of each limit exist', () => {
  const missing = limits.flatMap(({ name, below, above, far }) =>
    [below, above, far]
      .filter(([file, title]) => {
        const path = join(tests, `${file}.test.ts`)
        return !existsSync(path) || !readFileSync(path, 'utf8').includes(title)
      })
      .map(([file, title]) => `${name}: ${file}: ${title}`),
  )
  assert.deepEqual(missing, [])
})
