import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseWords, UsageError } from '../../../src/admin/arguments.js'
import { flag, number, options, required, secret, text } from '../../../src/base/schema.js'

const schema = options({
  account: text(required, 'whose'),
  reason: text('', 'why'),
  endSessions: flag(false, 'also end'),
  limit: number(10, 'how many'),
  password: secret(undefined, 'asked for'),
})
const around = { flags: ['generate'], values: ['password-file'] }
const parse = (...words: string[]) => parseWords(words, { args: schema, places: ['limit'] }, around)

test('required options stand in order, the others have names', () => {
  const { args, flags, values } = parse(
    '--reason',
    'no fun',
    'ana',
    '--end-sessions',
    '--limit=5',
    '--generate',
    '--password-file',
    '-',
  )
  assert.deepEqual(args, { account: 'ana', reason: 'no fun', end_sessions: true, limit: 5 })
  assert.deepEqual([...flags], ['generate'])
  assert.deepEqual([...values], [['password-file', ['-']]])
  assert.deepEqual(parse('--', '--ana').args, { account: '--ana' })
  assert.deepEqual(parse('ana', '--end-sessions=no').args, { account: 'ana', end_sessions: false })
})

test('places: an option may stand without its name, behind what is required', () => {
  assert.deepEqual(parse('ana', '7').args, { account: 'ana', limit: 7 })
  assert.deepEqual(parse('--limit', '7', 'ana').args, { account: 'ana', limit: 7 })
})

/** [words, message, hint] */
const wrong: [string[], RegExp, RegExp?][] = [
  [[], /ACCOUNT is missing: whose/],
  [['ana', '7', 'ben'], /"ben" is one argument too many/],
  [['ana', '--reason'], /--reason needs a value/],
  [['ana', '--reson', 'x'], /unknown option --reson/, /--reason \?/],
  [['ana', '-x'], /unknown option --x/],
  [['ana', '--password', 'secret'], /never an argument: everyone on this machine/, /--password-file/],
  [['ana', '--password=secret'], /never an argument/],
]
for (const [words, message, hint] of wrong)
  test(`refused: ${words.join(' ') || 'nothing'}`, () => {
    assert.throws(
      () => parse(...words),
      (fault) =>
        fault instanceof UsageError && message.test(fault.message) && (!hint || hint.test(fault.hint ?? '')),
    )
  })
