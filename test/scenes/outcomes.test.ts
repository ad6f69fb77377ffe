/** P2 of the limits: every stanza that is taken in ends as exactly one outcome. */
import assert from 'node:assert/strict'
import type { Metrics } from '../../src/base/metrics.js'
import { friends } from '../support/friends.js'
import { Dice } from '../support/dice.js'
import { scene, type Cast } from '../support/stage.js'

const OUTCOMES = ['delivered', 'kept', 'answered', 'bounced', 'dropped', 'elsewhere']
const KINDS = ['message', 'presence', 'iq']

function outcomes(metrics: Metrics): Record<string, number> {
  return Object.fromEntries(
    OUTCOMES.map((name) => [name, metrics.valueOf('stanza_outcomes_total', name) ?? 0]),
  )
}

function taken(metrics: Metrics, dir: 'in' | 'own'): number {
  return KINDS.reduce((sum, kind) => sum + (metrics.valueOf('stanzas_total', dir, kind) ?? 0), 0)
}

function assertBalanced(stage: Cast['stage'], seed: string): void {
  const { metrics } = stage
  const ended = Object.values(outcomes(metrics)).reduce((sum, count) => sum + count, 0)
  assert.equal(ended, taken(metrics, 'in') + taken(metrics, 'own'), `${seed}\n${stage.transcript()}`)
}

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'

scene('Limits: each kind of end is counted once', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await juliet.online()
  await stage.account('nurse', juliet.domain, 'wherefore')
  await stage.settled()
  const before = outcomes(stage.metrics)
  const own = taken(stage.metrics, 'own')
  const stanzas = [
    `<message to='${juliet.bare}' type='chat'><body>delivered</body></message>`,
    `<message to='nurse@${stage.domain}' type='chat'><body>kept</body></message>`,
    `<message to='nobody@${stage.domain}' type='chat'><body>bounced</body></message>`,
    `<message to='${juliet.bare}/gone' type='headline'><body>dropped</body></message>`,
    `<presence to='nobody@${stage.domain}'/>`,
    `<presence type='unheard-of'/>`,
    `<iq to='${stage.domain}' type='get' id='a'><ping xmlns='urn:xmpp:ping'/></iq>`,
  ]
  for (const stanza of stanzas) romeo.sends(stanza)
  const error = (condition: string, text = '') =>
    `<error><${condition} xmlns='${STANZAS}'/>${text && `<text xmlns='${STANZAS}'>${text}</text>`}</error>`
  await romeo.receivesInAnyOrder(
    `<message type='error' from='nobody@${stage.domain}'>${error('service-unavailable')}</message>`,
    `<presence type='error'>${error('bad-request', '{any}')}</presence>`,
    `<iq type='result' id='a'/>`,
  )
  const after = outcomes(stage.metrics)
  const change = Object.fromEntries(OUTCOMES.map((name) => [name, after[name]! - before[name]!]))
  // The error that came back to romeo was made here, and delivered as well.
  assert.deepEqual(change, { delivered: 2, kept: 1, answered: 1, bounced: 2, dropped: 2, elsewhere: 0 })
  assert.equal(taken(stage.metrics, 'own') - own, 1)
  const path = (name: string) => stage.metrics.valueOf('message_delivery_total', name)
  assert.deepEqual([path('live'), path('offline'), path('error')], [2, 1, 1])
})

scene('Limits: what is dropped is dropped by a rule, and counted by it', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await juliet.online()
  await stage.account('nurse', juliet.domain, 'wherefore')
  await stage.settled()
  const dropped = (rule: string) => stage.metrics.valueOf('stanza_dropped_total', rule) ?? 0
  const outcome = () => stage.metrics.valueOf('stanza_outcomes_total', 'dropped') ?? 0
  const ends = async (stanza: string, rule: string) => {
    const before = [dropped(rule), outcome()]
    romeo.sends(stanza)
    await stage.settled()
    assert.deepEqual([dropped(rule), outcome()], [before[0]! + 1, before[1]! + 1], stanza)
  }
  const typing = `<composing xmlns='http://jabber.org/protocol/chatstates'/>`
  await ends(`<presence type='probe'/>`, 'no_address')
  await ends(`<presence to='nobody@${stage.domain}'/>`, 'no_account')
  await ends(`<message to='${juliet.bare}/gone' type='headline'/>`, 'no_resource')
  await ends(`<message to='nurse@${stage.domain}' type='chat'>${typing}</message>`, 'not_kept')
  await ends(`<message to='nobody@${stage.domain}' type='error'/>`, 'unanswerable')
  await ends(`<iq to='${stage.domain}' type='result' id='x'/>`, 'not_asked')
  await ends(`<presence to='${stage.domain}'/>`, 'host_presence')
  romeo.sends(`<presence type='unavailable'/>`)
  await stage.settled()
  await ends(`<presence type='unavailable'/>`, 'no_change')
})

for (let run = 0; run < 12; run++) {
  const seed = run === 0 ? Date.now() % 1_000_000 : run
  scene(
    `Limits: what is taken in is the sum of what became of it (seed ${seed})`,
    async (cast) => {
      const { romeo, romeo$phone, juliet, juliet$robot, nurse, other, stage } = cast
      await romeo.online()
      await romeo$phone.online()
      await juliet.online()
      await juliet$robot.online('<presence><priority>-1</priority></presence>')
      await other.tybalt.online()
      await nurse.connects()
      await friends(romeo, juliet)
      await stage.account('paris', stage.domain, 'wherefore')
      const speakers = [romeo, romeo$phone, juliet, juliet$robot, other.tybalt, nurse]
      const dice = new Dice(seed)
      const start = taken(stage.metrics, 'in')
      const pings = () => speakers.length * 2
      let said = 0
      for (let round = 0; round < 8; round++) {
        for (let i = 0; i < 40; i++) {
          dice.of(speakers).sends(randomStanza(dice, stage.domain))
          said++
        }
        await stage.settled()
        said += pings()
        stage.clock.advance(60_000)
      }
      await stage.settled()
      said += pings()
      assertBalanced(stage, `seed ${seed}`)
      assert.equal(taken(stage.metrics, 'in') - start, said)
      // Those who leave are unavailable to others, which is counted as well.
      for (const speaker of speakers) await speaker.vanishes()
      await stage.settled()
      assertBalanced(stage, `seed ${seed}, after the end`)
    },
    { set: ['modules.registration.enabled=true'] },
  )
}

function randomStanza(dice: Dice, domain: string): string {
  const kind = dice.of(KINDS)
  const to = dice.of([
    undefined,
    domain,
    `${domain}/res`,
    'montague.example',
    'elsewhere.example',
    `x@elsewhere.example/y`,
    '@bad',
    ...['romeo', 'juliet', 'nurse', 'paris', 'nobody'].flatMap((local) =>
      ['', '/balcony', '/phone', '/robot', '/gone'].map((resource) => `${local}@${domain}${resource}`),
    ),
    'tybalt@montague.example',
  ])
  const type = dice.of(
    {
      message: [undefined, 'chat', 'normal', 'headline', 'groupchat', 'error', 'odd'],
      presence: [
        undefined,
        'unavailable',
        'subscribe',
        'subscribed',
        'unsubscribe',
        'unsubscribed',
        'probe',
        'error',
        'odd',
      ],
      iq: ['get', 'set', 'result', 'error', 'odd', undefined],
    }[kind]!,
  )
  const payload = dice.of(
    {
      message: [
        '',
        '<body>hi</body>',
        `<body>x</body><no-store xmlns='urn:xmpp:hints'/>`,
        '<subject>s</subject>',
      ],
      presence: ['', '<show>away</show>', '<priority>-3</priority>', '<priority>1e3</priority>'],
      iq: [
        `<ping xmlns='urn:xmpp:ping'/>`,
        `<query xmlns='jabber:iq:roster'/>`,
        `<query xmlns='jabber:iq:roster'><item jid='paris@${domain}' name='P'/></query>`,
        `<query xmlns='jabber:iq:roster'><item jid='juliet@${domain}' subscription='remove'/></query>`,
        `<query xmlns='jabber:iq:last'/>`,
        `<query xmlns='jabber:iq:register'/>`,
        `<vCard xmlns='vcard-temp'/>`,
        `<query xmlns='http://jabber.org/protocol/disco#info'/>`,
        `<unknown xmlns='x'/>`,
        '',
        '<a xmlns="x"/><b xmlns="x"/>',
      ],
    }[kind]!,
  )
  const id = dice.of([undefined, `i${dice.below(1000)}`, ''])
  const attributes = Object.entries({ to, type, id })
    .map(([name, value]) => (value === undefined ? '' : ` ${name}='${value}'`))
    .join('')
  return `<${kind}${attributes}>${payload}</${kind}>`
}
