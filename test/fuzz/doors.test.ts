/** Everything at every door: whatever is sent to a stream in whatever state ends in an answer or a defined stream error. */
import assert from 'node:assert/strict'
import { addresses, anyStanza, aWhile, broken, header, payloads, throwAt } from './rubbish.js'
import { streamConditions } from '../../src/stream/errors.js'
import type { Actor } from '../support/actor.js'
import { ScramClient } from '../unit/sasl/client.js'
import { Dice } from '../support/dice.js'
import { scene, type Stage } from '../support/stage.js'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const SASL2 = 'urn:xmpp:sasl:2'
const STREAMS = 'http://etherx.jabber.org/streams'
const ROUNDS = 40

const base64 = (text: string) => Buffer.from(text).toString('base64')
/** What may stand in an `<authenticate/>`, sensible or not; the first two are harmless. */
const inline = [
  `<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>a</software></user-agent>`,
  `<bind xmlns='urn:xmpp:bind:0'><tag>tag</tag><enable xmlns='urn:xmpp:sm:3'/></bind>`,
  `<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>`,
]
const authenticate = (mechanism: string, data: string, inside = '') =>
  `<authenticate xmlns='${SASL2}' mechanism='${mechanism}'><initial-response>${data}</initial-response>${inside}</authenticate>`
const login = (actor: Actor) => `<auth xmlns='${SASL}' mechanism='PLAIN'>${actor.plain()}</auth>`
/** How a stream comes into each state. */
const states: Record<string, (actor: Actor) => Promise<unknown>> = {
  'before the header': (actor) => Promise.resolve(actor.dials()),
  'after the header': (actor) => actor.opens(),
  'during a SASL exchange': async (actor) => {
    await actor.opens()
    actor.raw(`<auth xmlns='${SASL}' mechanism='SCRAM-SHA-256'>${base64('n,,n=romeo,r=abcdefgh')}</auth>`)
    await actor.next('challenge')
  },
  'during a SASL2 exchange': async (actor) => {
    await actor.opens()
    actor.raw(authenticate('SCRAM-SHA-256', base64('n,,n=romeo,r=abcdefgh'), inline.slice(0, 2).join('')))
    await actor.next('challenge')
  },
  'during a SASL2 task': async (actor) => {
    const { accounts } = actor.stage.stores
    const account = await accounts.get(actor.domain, actor.local)
    await accounts.setKeys(account!.id, { 'SHA-1': account!.keys['SHA-1']! })
    await actor.opens()
    const client = new ScramClient({ user: actor.local, password: 'wherefore', hash: 'SHA-1' })
    actor.raw(authenticate('SCRAM-SHA-1', client.first().toString('base64'), inline.join('')))
    const challenge = Buffer.from((await actor.next('challenge')).text, 'base64')
    actor.raw(`<response xmlns='${SASL2}'>${client.final(challenge).toString('base64')}</response>`)
    assert.equal((await actor.next('continue')).local, 'continue')
  },
  'authenticated by SASL2': async (actor) => {
    await actor.opens()
    actor.raw(authenticate('PLAIN', actor.plain()))
    await actor.next('success')
  },
  'bound by Bind 2': async (actor) => {
    await actor.opens()
    actor.raw(authenticate('PLAIN', actor.plain(), inline.join('')))
    await actor.next('success')
  },
  'authenticated, before the new header': async (actor) => {
    await actor.opens()
    actor.raw(login(actor))
    await actor.next('success')
  },
  authenticated: async (actor) => {
    await states['authenticated, before the new header']!(actor)
    actor.startsStream()
    await actor.next('features')
  },
  bound: (actor) => actor.connects(),
  available: (actor) => actor.online(),
  closing: async (actor) => {
    await states['authenticated']!(actor)
    actor.raw('</stream:stream>')
  },
}

const nonzas: readonly string[] = [
  `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`,
  `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`,
  `<abort xmlns='${SASL}'/>`,
  `<success xmlns='${SASL}'/>`,
  `<challenge xmlns='${SASL}'>AAAA</challenge>`,
  `<response xmlns='${SASL}'/>`,
  `<response xmlns='${SASL}'>=</response>`,
  `<response xmlns='${SASL}'>%%%%</response>`,
  `<response xmlns='${SASL}'>${base64('c=biws,r=abcdefgh,p=AAAA')}</response>`,
  `<auth xmlns='${SASL}'/>`,
  `<auth xmlns='${SASL}' mechanism='__proto__'/>`,
  ...['PLAIN', 'ANONYMOUS', 'EXTERNAL', 'SCRAM-SHA-1', 'SCRAM-SHA-256-PLUS', 'scram-sha-512'].flatMap(
    (mechanism) =>
      ['', '=', '*', base64('\0\0'), base64('n,,n=a,r=b'), base64('y,a=x,n=a,r=b'), base64('\xff')].map(
        (data) => `<auth xmlns='${SASL}' mechanism='${mechanism}'>${data}</auth>`,
      ),
  ),
  `<stream:features/>`,
  `<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`,
  `<stream:stream xmlns:stream='${STREAMS}'/>`,
  `<message xmlns='jabber:server'/>`,
  `<iq xmlns='x' type='get' id='1'/>`,
  `<r xmlns='urn:xmpp:sm:3'/>`,
  `<resume xmlns='urn:xmpp:sm:3' h='-1' previd='x'/>`,
  `<authenticate xmlns='${SASL2}' mechanism='PLAIN'/>`,
  ...[
    '',
    '=',
    base64('\0\0'),
    base64('\0romeo\0wherefore'),
    base64('n,,n=a,r=b'),
    base64('romeo\0\xff'),
  ].flatMap((data) =>
    ['PLAIN', 'ANONYMOUS', 'SCRAM-SHA-512', 'HT-SHA-256-NONE'].flatMap((mechanism) =>
      [
        ...inline,
        inline.join(''),
        `<user-agent id='me'/>`,
        `<bind xmlns='urn:xmpp:bind:0'><tag>&#x10FFFF;</tag><inactive xmlns='urn:xmpp:csi:0'/><enable xmlns='urn:xmpp:carbons:2'/></bind>`,
        `<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true' max='-1'/><enable xmlns='urn:xmpp:sm:3'/></bind>`,
        `<resume xmlns='urn:xmpp:sm:3' h='-1' previd='x'/>`,
        `<fast xmlns='urn:xmpp:fast:0' count='-1' invalidate='perhaps'/>`,
        `<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>`,
        `<config-version xmlns='urn:xmpp:iap:0' value='x'/>`,
      ].map((inside) => authenticate(mechanism, data, inside)),
    ),
  ),
  `<abort xmlns='${SASL2}'><text>no</text></abort>`,
  `<response xmlns='${SASL2}'>${base64('c=biws,r=abcdefgh,p=AAAA')}</response>`,
  `<response xmlns='${SASL2}'/>`,
  `<next xmlns='${SASL2}' task='UPGR-SCRAM-SHA-512'/>`,
  `<next xmlns='${SASL2}' task='__proto__'/>`,
  `<task-data xmlns='${SASL2}'/>`,
  `<task-data xmlns='${SASL2}'><hash xmlns='urn:xmpp:scram-upgrade:0'>${base64('a'.repeat(64))}</hash></task-data>`,
  `<task-data xmlns='${SASL2}'><hash xmlns='urn:xmpp:scram-upgrade:0'>%</hash></task-data>`,
  `<success xmlns='${SASL2}'/>`,
  `<failure xmlns='${SASL2}'/>`,
  `<continue xmlns='${SASL2}'/>`,
  `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>`,
]

function anything(dice: Dice, actor: Actor): string | Buffer {
  switch (dice.below(6)) {
    case 0:
      return dice.of(broken)
    case 1:
      return dice.of(nonzas)
    case 2:
      return dice.of([login(actor), header, `<iq type='set' id='b'>${payloads[4]}</iq>`])
    default:
      return anyStanza(dice, dice.below(9) ? [] : addresses)
  }
}

/** Every stream error is one of RFC 6120's, and an end is said before the connection closes. */
function assertDefined(actor: Actor, stage: Stage): void {
  const [, condition] = /<stream:error><([a-z-]+) /.exec(actor.heard) ?? []
  if (condition !== undefined) {
    assert.ok((streamConditions as readonly string[]).includes(condition), condition)
    assert.ok(
      !['internal-server-error', 'undefined-condition'].includes(condition),
      `${condition}\n${stage.transcript()}`,
    )
  }
  if (actor.closed) assert.match(actor.heard, /<\/stream:stream>$/, stage.transcript())
}

for (const [state, reach] of Object.entries(states)) {
  const seed = Date.now() % 1_000_000
  scene(
    `whatever comes ${state}: an answer or a defined error, and no exception (seed ${seed})`,
    async ({ juliet, stage }) => {
      await juliet.online()
      const dice = new Dice(seed)
      let ended = 0
      for (let round = 0; round < ROUNDS; round++) {
        const actor = stage.twin(stage.actor('romeo'))
        await stage.account('romeo', actor.domain, 'wherefore')
        await reach(actor)
        for (let i = 1 + dice.below(5); i > 0; i--) {
          throwAt(actor, anything(dice, actor), dice)
          if (dice.below(2)) await aWhile()
        }
        await aWhile()
        assertDefined(actor, stage)
        if (actor.closed) ended++
        else await actor.vanishes()
        stage.clock.advance(1000)
      }
      assert.deepEqual(stage.logged, [], stage.transcript())
      assert.ok(ended > 0)
      // Nobody else was harmed, and nobody stayed.
      await juliet.settled()
      assert.ok(stage.server.sessionCount === 1)
    },
    {
      set: [
        'modules.registration.enabled=true',
        'modules.registration.attempts=off',
        'auth.anonymous=true',
        'limits.lockout_failures=off',
        'limits.c2s_stanza_size=20000B',
      ],
    },
  )
}
