/** The events that the code logs are those of config/log-events.md, each at its level. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { components } from '../../src/base/log.js'

const top = join(dirname(fileURLToPath(import.meta.url)), '../../..')

test('every event has its line in the list, and the list has no others', () => {
  const listed = readFileSync(join(top, 'config/log-events.md'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const found = /^\| `([^`]+)` +\| (\w+) +\| .+\.? *\|$/.exec(line)
      return found ? [`${found[1]} ${found[2]}`] : []
    })
  assert.deepEqual(listed, [...new Set(listed)].sort())
  const logged = new Set<string>()
  for (const file of readdirSync(join(top, 'src'), { recursive: true }).map(String)) {
    if (!file.endsWith('.ts')) continue
    const text = readFileSync(join(top, 'src', file), 'utf8')
    for (const [, level, event] of text.matchAll(/\blog\??\.(error|warn|info|debug|trace)\(\s*'([^']+)'/g))
      logged.add(`${event} ${level}`)
  }
  assert.ok(logged.size > 20)
  assert.deepEqual([...logged].sort(), listed)
  // What `parley log debug c2s` knows.
  const first: readonly string[] = [...logged].map((line) => line.split(/[. ]/)[0] ?? '')
  assert.deepEqual([...components], [...new Set(first)].sort())
})
