/** The door of components: whatever comes, before and after the handshake, ends in an answer or a defined stream error. */
import assert from 'node:assert/strict'
import { anyStanza, aWhile, broken, throwAt } from './rubbish.js'
import { streamConditions } from '../../src/stream/errors.js'
import { Component, known } from '../support/component.js'
import { Dice } from '../support/dice.js'
import { scene } from '../support/stage.js'

const PLAYS = 'plays.capulet.example'
const ROUNDS = 60

const nonzas: readonly string[] = [
  '<handshake/>',
  `<handshake>${'0'.repeat(40)}</handshake>`,
  '<handshake xmlns="jabber:client"/>',
  `<db:result xmlns:db='jabber:server:dialback' from='${PLAYS}' to='capulet.example'>k</db:result>`,
  `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>`,
  `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`,
  `<r xmlns='urn:xmpp:sm:3'/>`,
  '<route/>',
]
const mine = [PLAYS, `romeo@${PLAYS}`, `romeo@${PLAYS}/act2`]
const others = ['juliet@capulet.example', 'capulet.example', 'capulet.example/x', 'x@far.example', '@@', '']

/** A stanza whose addresses are often as they should be. */
function stanza(dice: Dice): string {
  const from = dice.of(dice.below(8) ? mine : others)
  const to = dice.of([...others, ...mine])
  const bare = anyStanza(dice, []).replace(/ to='[^']*'/, '')
  return bare.replace(/^<(\w+)/, `<$1 from='${from}' to='${to}'`)
}

for (const state of ['before the handshake', 'after it']) {
  const seed = Date.now() % 1_000_000
  scene(
    `whatever a component sends ${state}: an answer or a defined error, and no exception (seed ${seed})`,
    async ({ juliet, stage }) => {
      await juliet.online()
      const dice = new Dice(seed)
      let ended = 0
      for (let round = 0; round < ROUNDS; round++) {
        const plays = new Component(stage, PLAYS)
        if (state === 'after it') await plays.connects()
        else await plays.greets()
        for (let i = 1 + dice.below(6); i > 0; i--) {
          const one = dice.below(5)
          throwAt(plays, one === 0 ? dice.of(broken) : one === 1 ? dice.of(nonzas) : stanza(dice), dice)
          if (dice.below(2)) await aWhile()
        }
        await aWhile()
        const [, condition] = /<stream:error><([a-z-]+) /.exec(plays.heard) ?? []
        if (condition !== undefined) {
          assert.ok((streamConditions as readonly string[]).includes(condition), condition)
          assert.ok(!['internal-server-error', 'undefined-condition'].includes(condition), stage.transcript())
        }
        if (plays.closed) {
          assert.match(plays.heard, /<\/stream:stream>$/, stage.transcript())
          ended++
        } else plays.raw('</stream:stream>')
        await aWhile()
        stage.clock.advance(1000)
      }
      // Refusals are told; nothing else is.
      const told = stage.logged.filter((line) => !/component\.(refused|replaced)/.test(line))
      assert.deepEqual(told, [], stage.transcript())
      assert.ok(ended > 0)
      // Nobody else was harmed, and nobody stayed.
      await juliet.settled()
      const plays = new Component(stage, PLAYS)
      await plays.connects()
      await plays.settled()
    },
    { set: [known(PLAYS), 'limits.s2s_stanza_size=20000B'] },
  )
}
