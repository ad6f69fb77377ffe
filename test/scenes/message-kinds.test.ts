/** What clients send besides words: who gets a copy, what is kept for later, and what a client that sleeps is woken for. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { scene, type Cast } from '../support/stage.js'

interface Kind {
  readonly name: string
  readonly type?: string
  readonly content: string
  /** XEP-0280: the other devices get copies. */
  readonly copied: boolean
  /** XEP-0160: it is there when the reader comes back. */
  readonly kept: boolean
  /** XEP-0352: a client that nobody looks at gets it at once. */
  readonly wakes: boolean
}

const hint = (name: string) => `<${name} xmlns='urn:xmpp:hints'/>`
const body = '<body>ohai</body>'
const state = (name: string) => `<${name} xmlns='http://jabber.org/protocol/chatstates'/>`
const all = { copied: true, kept: true, wakes: true }

const kinds: readonly Kind[] = [
  { name: 'XEP-0184: a message that asks for a receipt', content: `${body}<request xmlns='urn:xmpp:receipts'/>`, ...all },
  { name: 'XEP-0184: a receipt', type: 'normal', content: `<received xmlns='urn:xmpp:receipts' id='1'/>`, ...all },
  { name: 'XEP-0333: a marker', content: `<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>`, ...all },
  { name: 'XEP-0085: a chat state', content: state('composing'), copied: true, kept: false, wakes: false },
  {
    name: 'XEP-0085: a chat state with marks and hints',
    content: `${state('paused')}<thread>t</thread>${hint('no-copy')}<origin-id xmlns='urn:xmpp:sid:0' id='1'/>`,
    copied: false,
    kept: false,
    wakes: false,
  },
  { name: 'XEP-0085: a chat state with words', content: body + state('active'), ...all },
  { name: 'XEP-0308: a correction', content: `${body}<replace xmlns='urn:xmpp:message-correct:0' id='1'/>`, ...all },
  { name: 'XEP-0353: a call', content: `<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>${hint('store')}`, ...all },
  { name: 'XEP-0353: the end of a call', content: `<retract xmlns='urn:xmpp:jingle-message:0' id='1'/>`, ...all },
  {
    name: 'XEP-0380: encrypted without words',
    content: `<encrypted xmlns='urn:xmpp:omemo:2'/><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>${hint('store')}`,
    ...all,
  },
  {
    name: 'XEP-0424, XEP-0428: a retraction with words for old clients',
    content: `<retract xmlns='urn:xmpp:message-retract:1' id='1'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>${body}${hint('store')}`,
    ...all,
  },
  { name: 'XEP-0444: a reaction', content: `<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>x</reaction></reactions>`, ...all },
  { name: 'XEP-0334 §4.1: no-permanent-store', content: body + hint('no-permanent-store'), ...all },
  { name: 'XEP-0334 §4.2: no-store', content: body + hint('no-store'), ...all, kept: false },
  { name: 'XEP-0334 §4.3: no-copy', content: body + hint('no-copy'), ...all, copied: false },
  { name: 'XEP-0334 §4.4: store', content: state('composing') + hint('store'), copied: true, kept: true, wakes: false },
  { name: 'hints and nothing else', content: hint('no-copy'), copied: false, kept: false, wakes: true },
] // prettier-ignore

const say = ({ type = 'chat', content }: Kind, to: string) =>
  `<message to='${to}' type='${type}' id='1'>${content}</message>`

/** Whether a copy came, of which kind it is told. */
async function gotCopy(actor: Actor, which: 'sent' | 'received'): Promise<boolean> {
  if (actor.waiting === 0) return false
  const copy = await actor.next()
  assert.ok(copy.child(which, 'urn:xmpp:carbons:2'), copy.toString())
  return true
}

async function plays(kind: Kind, { romeo, romeo$phone, juliet, juliet$phone, stage }: Cast): Promise<void> {
  for (const actor of [romeo, romeo$phone, juliet, juliet$phone]) await actor.online()
  for (const actor of [romeo$phone, juliet$phone]) await actor.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
  for (const actor of [romeo, romeo$phone, juliet, juliet$phone]) await actor.ignoresSoFar()
  romeo.sends(say(kind, juliet.full))
  await juliet.receives(say(kind, juliet.full))
  await stage.settled()
  assert.equal(await gotCopy(romeo$phone, 'sent'), kind.copied)
  assert.equal(await gotCopy(juliet$phone, 'received'), kind.copied)

  await juliet$phone.leaves()
  await juliet.ignoresSoFar()
  const held = () => stage.metrics.valueOf('client_state_held_total')
  juliet.raw(`<inactive xmlns='urn:xmpp:csi:0'/>`)
  await juliet.settled()
  const before = held()
  romeo.sends(say(kind, juliet.full))
  await romeo.settled()
  assert.equal(held() === before, kind.wakes)

  await juliet.ignoresSoFar()
  await juliet.leaves()
  await romeo$phone.leaves()
  romeo.sends(say(kind, juliet.bare))
  await romeo.settled()
  await juliet.online()
  assert.equal(juliet.waiting, kind.kept ? 1 : 0)
  assert.equal(romeo.closed, false)
}

for (const kind of kinds) scene(kind.name, (cast) => plays(kind, cast))
