import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = join(dirname(fileURLToPath(import.meta.url)), '../../src/main.js')
let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-main-'))
  writeFileSync(join(folder, 'bad.toml'), 'domian = "example.org"\n')
})
after(() => rmSync(folder, { recursive: true }))

/** Runs the real program in an empty folder. */
function parley(words: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
    timeout: 20_000,
  })
  return { status, stdout, stderr }
}

test('exit codes of the program: 0, 1, 2, 3', () => {
  assert.match(parley(['version']).stdout, /^parley \d+\.\d+\.\d+\n$/)
  const bad = parley(['start', '--config', 'bad.toml'])
  assert.deepEqual(bad, {
    status: 1,
    stdout: '',
    stderr:
      'bad.toml:1:1  unknown key  domian\n   did you mean  domain ?\n1 error: not started, nothing changed\n',
  })
  const env = parley(['config', 'check'], { PARLEY_LOG__LEVLE: 'info' })
  assert.equal(env.status, 1)
  assert.match(
    env.stderr,
    /^env PARLEY_LOG__LEVLE {2}no such setting\n {3}did you mean {2}PARLEY_LOG__LEVEL \?\n/,
  )
  assert.equal(parley(['strat']).status, 2)
  const alone = parley(['user', 'add', 'ana', '--generate'])
  assert.equal(alone.status, 3)
  assert.match(alone.stderr, /^parley: no server is running here/)
})
