/**
 * Parley with real Prosody and real ejabberd, both directions, in each setting of world.mjs:
 * `node test/slow/federation.mjs [--setting NAME] [--ours KIND] [PEER...]`. CLIENTS_DIR is a folder that install.sh has filled.
 * Needs a build in dist/. With `--ours prosody ejabberd` the peers show what they do with each other.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as across from './across.mjs'
import { seconds } from './check.mjs'
import { settings, startWorld } from './world.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { ours: { type: 'string', default: 'parley' }, setting: { type: 'string', multiple: true } },
})
const kinds = positionals.length > 0 ? positionals : ['prosody', 'ejabberd']

// Another script proves that certificates are verified for clients.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
let failed = 0
const folder = mkdtempSync(join(tmpdir(), 'federation-'))
chmodSync(folder, 0o711)
try {
  for (const setting of values.setting ?? Object.keys(settings)) await play(setting)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exit(failed > 0 ? 1 : 0)

async function play(setting) {
  const began = Date.now()
  const before = failed
  const world = await startWorld([values.ours, ...kinds], join(folder, setting), settings[setting])
  const { servers } = world
  const ours = servers[values.ours]
  try {
    const pairs = await Promise.all(kinds.map((kind) => acquaint(setting, ours, servers[kind])))
    await Promise.all(pairs.map(theyRestart))
    await weRestart(ours, pairs)
  } finally {
    await world.stop()
    if (failed > before)
      for (const [kind, server] of Object.entries(servers))
        console.log(`--- ${setting}: the last words of ${kind}\n${server.tail(200)}\n---`)
  }
  console.log(`  ${setting}: ${Math.round((Date.now() - began) / 1000)} s`)
}

/** All that works without an interruption. */
async function acquaint(setting, ours, theirs) {
  const say = (name, limit, run) => report(`${setting}, ${theirs.kind}: ${name}`, limit, run)
  const romeo = await across.person(ours, `romeo-${theirs.kind}`)
  const juliet = await across.person(theirs, 'juliet')
  const zoe = await across.person(theirs, 'ζωή')
  const both = [ours, theirs]
  await say('subscriptions and presence both ways', 60, () => across.befriend(romeo, juliet))
  await say('messages both ways', 60, () => across.talk(romeo, juliet))
  await say('strange names and strange XML both ways', 60, () => across.talkStrangely(romeo, zoe))
  await say('disco#info and ping both ways', 60, () => across.discover(romeo, juliet, both))
  await say('a room of theirs', 90, () => across.meet(romeo, juliet, theirs.rooms))
  await say('a stanza to nobody comes back, both ways', 60, () => across.missNobody(romeo, juliet, both))
  await say('200 messages each way in order', 60, () => across.keepOrder(romeo, juliet, 200))
  const method = settings[setting].ca ? 'EXTERNAL' : 'dialback'
  await say(`both directions are proved by ${method}`, 10, async () => {
    assert.deepEqual(theirs.proofs(ours.domain), { inbound: [method], outbound: [method] })
  })
  return { say, ours, theirs, romeo, juliet }
}

async function theyRestart(pair) {
  const { say, theirs, romeo } = pair
  await say('their restart loses and doubles nothing', 120, async () => {
    const outcome = await across.outlive({
      speaker: romeo,
      hearer: pair.juliet,
      down: () => theirs.stop(),
      up: () => theirs.start(),
      back: () => across.again(theirs, 'juliet'),
    })
    pair.juliet = outcome.returned
    console.log(`  ${theirs.kind} away: ${outcome.heard} heard, ${outcome.bounced} bounced`)
  })
}

/** All hearers are on the same server, which goes and comes once: whoever is ready waits for the others. */
async function weRestart(ours, pairs) {
  const [down, up] = [together(pairs.length, () => ours.stop()), together(pairs.length, () => ours.start())]
  await Promise.all(
    pairs.map(({ say, theirs, romeo, juliet }) =>
      say('our restart loses and doubles nothing', 120, async () => {
        const outcome = await across.outlive({
          speaker: juliet,
          hearer: romeo,
          down,
          up,
          back: () => across.again(ours, `romeo-${theirs.kind}`),
        })
        console.log(`  away from ${theirs.kind}: ${outcome.heard} heard, ${outcome.bounced} bounced`)
      }),
    ),
  )
}

/** A function that does `act` when it is called for the last of `count` times, and that ends for all with it. */
function together(count, act) {
  let waiting = count
  let go
  const done = new Promise((resolve) => (go = resolve)).then(act)
  return () => {
    waiting -= 1
    if (waiting === 0) go()
    return done
  }
}

async function report(name, limit, run) {
  try {
    await seconds(limit, run(), 'end')
    console.log(`ok ${name}`)
  } catch (error) {
    failed += 1
    console.log(`not ok ${name}: ${error?.stack ?? error}`)
  }
}
