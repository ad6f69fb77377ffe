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
import { ping } from './person.mjs'
import { refused, settings, startWorld } from './world.mjs'

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
  for (const setting of values.setting ?? [...Object.keys(settings), 'refused'])
    await (setting === 'refused' ? beRefused() : play(setting))
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
    const all = await Promise.all(kinds.map((kind) => acquaint(setting, ours, servers[kind])))
    const pairs = all.filter((pair) => pair !== undefined)
    await Promise.all(pairs.map(theyRestart))
    await weRestart(ours, pairs)
    // Once is enough: what is stored does not depend on who proved what.
    if (setting === 'external' && ours.kind === 'parley') {
      await queueIsKept(ours, pairs)
      await Promise.all(pairs.map(theyEnd))
      await weAreKilled(ours, pairs)
    }
  } finally {
    await world.stop()
    if (failed > before)
      for (const [kind, server] of Object.entries(servers))
        console.log(`--- ${setting}: the last words of ${kind}\n${server.tail(200)}\n---`)
  }
  console.log(`  ${setting}: ${Math.round((Date.now() - began) / 1000)} s`)
}

/** Ours has a certificate that nobody trusts, and theirs do without dialback: `s2s test` says whose business that is. */
async function beRefused() {
  const world = await startWorld(['parley', ...kinds], join(folder, 'refused'), refused)
  const { parley, ...others } = world.servers
  try {
    await Promise.all(
      Object.values(others).map(({ kind, domain }) =>
        report(`refused, ${kind}: s2s test says that our certificate is the trouble`, 60, async () => {
          const error = await parley.call('s2s', 'test', domain).catch((problem) => problem)
          assert.equal(error.code, 1, JSON.stringify(error))
          assert.match(error.stdout, / result +OUR SIDE: .*\n fix +.*certificate/)
        }),
      ),
    )
  } finally {
    await world.stop()
  }
}

/** All that works without an interruption. The two people, if they could talk at all. */
async function acquaint(setting, ours, theirs) {
  const say = (name, limit, run) => report(`${setting}, ${theirs.kind}: ${name}`, limit, run)
  const romeo = await across.person(ours, `romeo-${theirs.kind}`)
  const juliet = await across.person(theirs, 'juliet')
  const zoe = await across.person(theirs, 'ζωή')
  const both = [ours, theirs]
  await say('subscriptions and presence both ways', 60, () => across.befriend(romeo, juliet))
  if (!(await say('messages both ways', 60, () => across.talk(romeo, juliet)))) return undefined
  await say('strange names and strange XML both ways', 60, () => across.talkStrangely(romeo, zoe))
  await say('disco#info and ping both ways', 60, () => across.discover(romeo, juliet, both))
  await say('a room of theirs', 90, () => across.meet(romeo, juliet, `balcony@${theirs.rooms}`))
  await say('a stanza to nobody comes back, both ways', 60, () => across.missNobody(romeo, juliet, both))
  await say('200 messages each way in order', 60, () => across.keepOrder(romeo, juliet, 200))
  const proofs = settings[setting].proofs[theirs.kind]
  await say('both directions are proved as they should be', 10, async () => {
    assert.deepEqual(theirs.proofs(ours.domain), proofs)
  })
  if (ours.call)
    await say('s2s test and s2s list say so', 30, async () => {
      const links = JSON.parse(await ours.call('s2s', 'list', '--json'))
      const open = links.filter((it) => it.remote === theirs.domain && it.state === 'open')
      const auths = (dir) => [...new Set(open.filter((it) => it.dir === dir).map(({ auth }) => auth))]
      const { inbound, outbound } = proofs
      assert.deepEqual(
        auths('out'),
        inbound.map((it) => it.toLowerCase()),
      )
      // A stream both ways shows in both, proved as it was from our side.
      const back = outbound.length > 0 ? outbound : inbound
      assert.deepEqual(
        auths('in'),
        back.map((it) => it.toLowerCase()),
      )
      for (const name of [theirs.domain, theirs.rooms]) {
        const told = await ours.call('s2s', 'test', name)
        assert.match(told, / result +both directions work\n$/)
      }
    })
  await say('a room of ours', 90, () => across.meet(juliet, romeo, `${theirs.kind}@${ours.rooms}`))
  return { say, ours, theirs, romeo, juliet }
}

async function theyRestart(pair) {
  const { say, theirs, romeo } = pair
  await say('their restart loses and doubles nothing', 120, async () => {
    const outcome = await across.outlive({
      speaker: romeo,
      hearer: pair.juliet,
      down: () => theirs.stop(),
      up: () => theyStart(pair),
      back: () => julietIsBack(pair),
    })
    console.log(`  ${theirs.kind} away: ${outcome.heard} heard, ${outcome.bounced} bounced`)
  })
}

/** All hearers are on the same server, which goes and comes once: whoever is ready waits for the others. */
async function weRestart(ours, pairs) {
  const [down, up] = [together(pairs.length, () => ours.stop()), together(pairs.length, () => ours.start())]
  await Promise.all(
    pairs.map((pair) => {
      const { say, theirs, romeo, juliet } = pair
      return say('our restart loses and doubles nothing', 120, async () => {
        const outcome = await across.outlive({
          speaker: juliet,
          hearer: romeo,
          down,
          up,
          back: () => romeoIsBack(pair),
        })
        console.log(`  away from ${theirs.kind}: ${outcome.heard} heard, ${outcome.bounced} bounced`)
      })
    }),
  )
}

/** What nobody is there to take, acknowledged to its sender, is there after kill -9 of ours. */
async function queueIsKept(ours, pairs) {
  await Promise.all(pairs.map(({ juliet }) => juliet.stop()))
  await Promise.all(pairs.map(({ theirs }) => theirs.stop()))
  const said = await Promise.all(pairs.map(({ romeo, juliet }) => across.leave(romeo, juliet.bare)))
  await ours.kill('SIGKILL')
  await ours.start()
  await Promise.all(
    pairs.map(async (pair, index) => {
      await romeoIsBack(pair)
      await theyStart(pair)
      await julietIsBack(pair)
      await pair.say('what waits for them outlives kill -9 of ours', 90, () =>
        across.find(pair.juliet, said[index]),
      )
    }),
  )
}

/**
 * Theirs ends while ours writes: Prosody, which keeps messages in files, by kill -9; ejabberd in order, for its database is not
 * written at once. Prosody acknowledges stanzas between servers (XEP-0198), ejabberd 23.01 does not: what it did not answer for
 * comes again.
 */
async function theyEnd(pair) {
  const { say, theirs, romeo, juliet } = pair
  const signal = theirs.kind === 'prosody' ? 'SIGKILL' : 'SIGTERM'
  await say(`${signal} for theirs in the middle loses nothing`, 120, async () => {
    await juliet.stop()
    const told = await across.endure({
      speaker: romeo,
      account: juliet.bare,
      kill: async () => {
        await theirs.kill(signal)
        await theyStart(pair)
      },
      back: () => julietIsBack(pair),
    })
    tally(theirs, told)
    assert.deepEqual(missing(told), [])
  })
}

/** kill -9 of ours while theirs write. What ejabberd had written into the dead connection is lost by it. */
async function weAreKilled(ours, pairs) {
  const kill = together(pairs.length, async () => {
    await ours.kill('SIGKILL')
    await ours.start()
  })
  await Promise.all(
    pairs.map(async (pair) => {
      const { say, theirs, romeo, juliet } = pair
      await say('kill -9 of ours doubles nothing and keeps the order', 120, async () => {
        await romeo.stop()
        const told = await across.endure({
          speaker: juliet,
          account: romeo.bare,
          kill,
          back: () => romeoIsBack(pair),
        })
        tally(theirs, told)
        const { heard, lines } = told
        const sent = theirs.kind === 'prosody' ? lastSent(theirs) : lines
        assert.deepEqual(
          heard,
          sent.filter((line) => heard.includes(line)),
        )
        if (theirs.kind === 'prosody') assert.deepEqual(missing(told), [])
      })
    }),
  )
}

/**
 * The lines in the order in which Prosody wrote them last. What it is told between SASL's success and the features goes ahead of
 * its own queue (seen with 0.12.3).
 */
function lastSent(prosody) {
  const sent = new Set()
  for (const [, line] of prosody.text().matchAll(/Sending\[s2sout\]: <message [^>]*id='(line \d+)'/g)) {
    sent.delete(line)
    sent.add(line)
  }
  return [...sent]
}

/** Theirs is there again, and has what waited for it: ejabberd loses sight of a message that comes during a login for a while. */
async function theyStart({ theirs, romeo }) {
  await theirs.start()
  await romeo.ask(ping(theirs.domain))
}

async function romeoIsBack(pair) {
  return (pair.romeo = await across.again(pair.ours, `romeo-${pair.theirs.kind}`))
}

async function julietIsBack(pair) {
  return (pair.juliet = await across.again(pair.theirs, 'juliet'))
}

function missing({ lines, heard, bounced }) {
  return lines.filter((line) => !heard.includes(line) && !bounced.includes(line))
}

function tally(theirs, told) {
  const twice = told.heard.length - new Set(told.heard).size
  console.log(
    `  ${theirs.kind}: ${told.heard.length} heard (${twice} twice), ${told.bounced.length} bounced, ${missing(told).length} lost`,
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
    return true
  } catch (error) {
    failed += 1
    console.log(`not ok ${name}: ${error?.stack ?? error}`)
    return false
  }
}
