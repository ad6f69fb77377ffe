import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'smol-toml'
import { explain } from '../../../src/config/files.js'
import type { FileAccess } from '../../../src/config/files.js'
import { loadConfig } from '../../../src/config/load.js'
import { exampleConfig } from '../../../src/config/reference.js'
import { modules } from '../../../src/modules/index.js'

/** A file system that holds one file. */
function holding(text: string): FileAccess {
  const access: FileAccess = {
    folder: '/',
    uid: 0,
    read: () => text,
    list: () => [],
    stat: () => undefined,
    explain: (file, error) => explain(access, file, error),
  }
  return access
}

test('the example loads as it is and means the defaults', () => {
  const load = (text: string) => loadConfig({ file: 'parley.toml', modules, files: holding(text) })
  const compared = ({ settings }: ReturnType<typeof load>) =>
    settings.map(({ name, compared }) => [name, compared])
  assert.deepEqual(compared(load(exampleConfig(modules))), compared(load('')))
})

test('every option in the example can be uncommented', () => {
  const text = exampleConfig(modules).replaceAll(/^#(?=[a-z_]+ = |\[)/gm, '')
  const tables = parse(text)
  assert.equal((tables['limits'] as Record<string, unknown>)['depth'], 128)
  assert.equal(typeof (tables['database'] as Record<string, unknown>)['url_file'], 'string')
})
