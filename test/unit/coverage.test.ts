import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { behaviours, later, type Proof } from '../support/behaviours.js'

const tests = join(dirname(fileURLToPath(import.meta.url)), '../../../test')

function isThere([file, name]: Proof): boolean {
  const path = join(tests, `${file}.test.ts`)
  return existsSync(path) && readFileSync(path, 'utf8').includes(name)
}

test('every behaviour names tests, and they exist', () => {
  const missing = behaviours.flatMap(({ number, proofs }) =>
    proofs.filter((proof) => !isThere(proof)).map(([file, name]) => `${number}: ${file}: ${name}`),
  )
  assert.deepEqual(missing, [])
  assert.deepEqual(
    behaviours.filter(({ proofs }) => proofs.length === 0).map(({ number }) => number),
    [],
  )
})

test('all but uploads and HTTP transports is covered without a gap', () => {
  const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)
  const known = [...behaviours.map(({ number }) => number), ...Object.keys(later).map(Number)]
  assert.deepEqual(
    known.sort((one, other) => one - other),
    [...range(1, 162), 166, 167],
  )
})
