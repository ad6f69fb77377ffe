import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const terminal = pathToFileURL(join(here, '../../../src/base/terminal.js')).href
const skip =
  spawnSync('script', ['--version']).status !== 0 && 'there is no script(1) to make a terminal with'

test(
  'what is typed for a hidden question never appears, what is typed for an open one does',
  { skip },
  async () => {
    const program = `
    const { processTerminal } = await import('${terminal}')
    const person = processTerminal()
    const hidden = await person.ask('hidden:', true)
    const open = await person.ask('open:')
    person.out([hidden, open].map((text) => text.length).join())`
    const node = [process.execPath, '--input-type=module', '-e', program].map(
      (word) => `'${word.replaceAll("'", `'\\''`)}'`,
    )
    const child = spawn('script', ['-qec', node.join(' '), '/dev/null'])
    const answers: [RegExp, string][] = [
      [/hidden:$/, 'pencil\r'],
      [/open:$/, 'shown!!\r'],
    ]
    let seen = ''
    child.stdout.on('data', (chunk) => {
      seen += String(chunk)
      if (answers[0]?.[0].test(seen)) child.stdin.write(answers.shift()?.[1] ?? '')
    })
    await new Promise((ended) => child.once('close', ended))
    assert.match(seen, /^hidden:\r\nopen:shown!!\r+\n6,7\r\n$/)
  },
)
