/** Everything at the doors between servers: whatever a peer says in whatever state, as caller or called. */
import assert from 'node:assert/strict'
import { anyStanza, aWhile, broken, throwAt } from './rubbish.js'
import { streamConditions } from '../../src/stream/errors.js'
import { Dice } from '../support/dice.js'
import { Peer } from '../support/peer.js'
import { FAR_DOMAIN, scene, type Stage } from '../support/stage.js'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const DOMAIN = 'capulet.example'
const ROUNDS = 40

/** How a stream to us comes into each state. */
const calling: Record<string, (peer: Peer) => Promise<unknown>> = {
  'before the header': (peer) => Promise.resolve(peer.dials()),
  'before TLS': async (peer) => {
    peer.dials()
    peer.startsStream()
    await peer.next('features')
  },
  'under TLS': (peer) => peer.opens(),
  'after an empty challenge': async (peer) => {
    await peer.opens()
    peer.raw(`<auth xmlns='${SASL}' mechanism='EXTERNAL'/>`)
    await peer.next('challenge')
  },
  'after success, before the new header': async (peer) => {
    await peer.opens()
    peer.raw(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
    await peer.next('success')
  },
  'proved by certificate': async (peer) => {
    await calling['after success, before the new header']!(peer)
    peer.startsStream()
    await peer.next('features')
  },
  'proved by dialback': async (peer) => {
    await peer.opens()
    peer.asksDialback()
    await peer.next('result')
  },
}

/** How a stream of ours comes into each state. */
const called: Record<string, (peer: Peer) => Promise<unknown>> = {
  'before its header': (peer) => peer.hearsHeader(),
  'before its features': async (peer) => {
    await peer.hearsHeader()
    peer.answers(`id='x'`)
  },
  'asked for TLS': async (peer) => {
    await called['before its features']!(peer)
    peer.raw(`<stream:features><starttls xmlns='${TLS}'/></stream:features>`)
    await peer.next('starttls')
  },
  'asked to believe a key': async (peer) => {
    await peer.takes()
    await peer.next('result')
  },
  'asked to believe a certificate': async (peer) => {
    await peer.takes(
      `<stream:features><mechanisms xmlns='${SASL}'><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>`,
    )
    await peer.next('auth')
  },
  'that believes us': async (peer) => {
    await peer.believes()
    await peer.next('the stanza')
  },
}

const header = `<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='${FAR_DOMAIN}' to='${DOMAIN}' version='1.0'>`

const domains = [FAR_DOMAIN, DOMAIN, 'ghost.example', 'a@b', '@', '__proto__', '']
const features = [
  '',
  `<starttls xmlns='${TLS}'/>`,
  `<mechanisms xmlns='${SASL}'/>`,
  `<mechanisms xmlns='${SASL}'><mechanism>EXTERNAL</mechanism><mechanism/></mechanisms>`,
  `<dialback xmlns='urn:xmpp:features:dialback'/>`,
  `<bidi xmlns='urn:xmpp:features:bidi'/><sm xmlns='urn:xmpp:sm:3'/>`,
]

const nonzas: readonly string[] = [
  ...['starttls', 'proceed', 'failure'].map((name) => `<${name} xmlns='${TLS}'/>`),
  ...['success', 'failure', 'abort', 'challenge', 'response'].map((name) => `<${name} xmlns='${SASL}'/>`),
  ...['=', '', '%', 'QUFB', '/w=='].flatMap((data) => [
    `<auth xmlns='${SASL}' mechanism='EXTERNAL'>${data}</auth>`,
    `<auth xmlns='${SASL}' mechanism='PLAIN'>${data}</auth>`,
    `<response xmlns='${SASL}'>${data}</response>`,
  ]),
  ...features.map((each) => `<stream:features>${each}</stream:features>`),
  `<stream:error/>`,
  `<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${'x'.repeat(900)}</text></stream:error>`,
  `<bidi xmlns='urn:xmpp:bidi'/>`,
  ...['enable', 'enabled', 'r', 'a', 'resume', 'resumed', 'failed'].flatMap((name) => [
    `<${name} xmlns='urn:xmpp:sm:3'/>`,
    `<${name} xmlns='urn:xmpp:sm:3' h='1' previd='x' resume='true'/>`,
  ]),
  header,
  header.replace(DOMAIN, 'nowhere.example'),
]

function anything(dice: Dice): string | Buffer {
  switch (dice.below(6)) {
    case 0:
      return dice.of(broken)
    case 1:
    case 2:
      return dice.of(nonzas)
    case 3: {
      const name = dice.of(['db:result', 'db:verify', 'db:result', 'db:huh'])
      const attributes = [
        dice.below(9) ? `from='${dice.of(domains)}'` : '',
        dice.below(9) ? `to='${dice.of(domains)}'` : '',
        dice.below(2) ? `id='${dice.of(['x', '', '__proto__'])}'` : '',
        dice.below(2) ? `type='${dice.of(['valid', 'invalid', 'error', ''])}'` : '',
      ]
      return `<${name} ${attributes.join(' ')}>${dice.of(['key', '', '<error/>'])}</${name}>`
    }
    default:
      return anyStanza(dice, [FAR_DOMAIN, `a@${FAR_DOMAIN}/b`, `@${FAR_DOMAIN}`, 'a@ghost.example', DOMAIN])
  }
}

/** Every stream error is one of RFC 6120's, and none says that the fault is ours. */
function assertDefined(peer: Peer, stage: Stage): void {
  const [, condition] = /<stream:error><([a-z-]+) /.exec(peer.heard) ?? []
  if (condition === undefined) return
  assert.ok((streamConditions as readonly string[]).includes(condition), condition)
  assert.notEqual(condition, 'internal-server-error', stage.transcript())
}

async function rounds(stage: Stage, seed: number, reach: (round: number) => Promise<Peer>): Promise<void> {
  const dice = new Dice(seed)
  for (let round = 0; round < ROUNDS; round++) {
    const peer = await reach(round)
    for (let i = 1 + dice.below(5); i > 0; i--) {
      throwAt(peer, anything(dice), dice)
      if (dice.below(2)) await aWhile()
    }
    await aWhile()
    assertDefined(peer, stage)
    if (!peer.closed) peer.floods().cut()
    await peer.isGone()
    stage.clock.advance(1000)
  }
  assert.deepEqual(stage.logged, [], stage.transcript())
}

const settings = {
  set: ['s2s.policy=dialback-ok', 'limits.s2s_stanza_size=20000B', 'limits.s2s_retry_max=1s'],
}

for (const [state, reach] of Object.entries(calling)) {
  const seed = Date.now() % 1_000_000
  scene(
    `whatever a server says ${state}: an answer or a defined error, and no exception (seed ${seed})`,
    async ({ juliet, stage }) => {
      await juliet.online()
      await rounds(stage, seed, async () => {
        const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
        await reach(peer)
        return peer
      })
      await juliet.settled()
      await aWhile()
      assert.ok(stage.server.federation!.links().every(({ dir }) => dir === 'out'))
    },
    settings,
  )
}

for (const [state, reach] of Object.entries(called)) {
  const seed = Date.now() % 1_000_000
  scene(
    `whatever a server says ${state}: it is left or told, and no exception (seed ${seed})`,
    async ({ juliet, stage }) => {
      await juliet.online()
      await rounds(stage, seed, async (round) => {
        const peer = new Peer(stage, `d${round}.example`)
        peer.serves()
        juliet.sends(`<message to='a@${peer.domain}'><body>hey</body></message>`)
        await reach(peer)
        return peer
      })
      await juliet.settled()
    },
    settings,
  )
}
