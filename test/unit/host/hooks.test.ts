/** The walk through a gate: in order, at once unless somebody waits, and past what crashes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, handled, hook, pass, type Phase, type Verdict } from '../../../src/host/hooks.js'
import { StanzaError } from '../../../src/stanza/errors.js'
import { Jid } from '../../../src/stanza/jid.js'
import { Stanza } from '../../../src/stanza/stanza.js'

const from = Jid.of('romeo', 'example.org', 'orchard')
const stanza = Stanza.of({ kind: 'message', from, to: Jid.of('juliet', 'example.org'), id: 'first' })
const stamped = stanza.readdressed({ id: 'second' })

/** Walks through these hooks, named in order of phase; gives how it ended, whom it met, and what crashed. */
function walk(hooks: readonly (readonly [Phase, (stanza: Stanza) => Verdict | Promise<Verdict>])[]) {
  const met: string[] = []
  const crashed: string[] = []
  const owned = hooks.map(([phase, run], index) => ({
    owner: `module-${index}`,
    hook: hook('sent', phase, ['message'], (at) => {
      met.push(`${phase} ${at.id}`)
      return run(at)
    }),
  }))
  const table = compile(owned, (owner, phase) => crashed.push(`${owner} ${phase}`))
  const outcome = pass(table.sent.message, stanza, undefined as never)
  return { outcome, met, crashed }
}

const crash = (): never => {
  throw new Error('broken')
}

test('hooks run by phase, each with what the one before made of the stanza', () => {
  const { outcome, met } = walk([
    ['copy', () => undefined],
    ['store', () => undefined],
    ['stamp', () => stamped],
    ['guard', () => undefined],
  ])
  assert.equal(outcome, stamped)
  assert.deepEqual(met, ['guard first', 'stamp first', 'store second', 'copy second'])
})

test('a stop ends the walk, at once or after a wait', async () => {
  const refusal = new StanzaError('forbidden')
  for (const stop of [handled, refusal] as const) {
    const now = walk([
      ['guard', () => stop],
      ['copy', () => undefined],
    ])
    assert.equal(now.outcome, stop)
    const later = walk([
      ['guard', () => Promise.resolve(stop)],
      ['copy', () => undefined],
    ])
    assert.equal(await later.outcome, stop)
    for (const { met } of [now, later]) assert.deepEqual(met, ['guard first'])
  }
})

test('the walk goes on behind a hook that waits, with what it gave', async () => {
  const { outcome, met } = walk([
    ['guard', () => Promise.resolve(undefined)],
    ['stamp', () => Promise.resolve(stamped)],
    ['copy', () => undefined],
  ])
  assert.ok(outcome instanceof Promise)
  assert.equal(await outcome, stamped)
  assert.deepEqual(met, ['guard first', 'stamp first', 'copy second'])
})

test('a crash is reported and passed over, but in phase guard it bounces', async () => {
  for (const run of [crash, () => Promise.reject(new Error('broken'))]) {
    const passed = walk([
      ['stamp', () => stamped],
      ['store', run],
      ['copy', () => undefined],
    ])
    assert.equal(await passed.outcome, stamped)
    assert.deepEqual(passed.met, ['stamp first', 'store second', 'copy second'])
    assert.deepEqual(passed.crashed, ['module-1 store'])
    const refused = walk([
      ['guard', run],
      ['copy', () => undefined],
    ])
    const outcome = await refused.outcome
    assert.ok(outcome instanceof StanzaError && outcome.condition === 'internal-server-error')
    assert.deepEqual(refused.met, ['guard first'])
    assert.deepEqual(refused.crashed, ['module-0 guard'])
  }
})

test('a stanza error that is thrown or rejected is no crash', async () => {
  const refusal = new StanzaError('not-allowed')
  const thrown = (): never => {
    throw refusal
  }
  for (const run of [thrown, () => Promise.reject(refusal)]) {
    const { outcome, crashed } = walk([['store', run]])
    assert.equal(await outcome, refusal)
    assert.deepEqual(crashed, [])
  }
})
