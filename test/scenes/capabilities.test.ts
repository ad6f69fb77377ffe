/** XEP-0115 and XEP-0390 of clients: what the server asks them, believes, and remembers. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { arrives, grants } from '../support/friends.js'
import { Program } from '../support/programs.js'
import { OTHER_DOMAIN, scene, secretFiles, type Stage } from '../support/stage.js'
import { loadConfig } from '../../src/config/load.js'
import { type Capabilities, capabilitiesKey } from '../../src/modules/capabilities/api.js'
import { modules } from '../../src/modules/index.js'
import { capsHash, discoInfoElement } from '../../src/stanza/caps.js'
import { resultForm } from '../../src/stanza/forms.js'
import { Jid } from '../../src/stanza/jid.js'
import { Stanza } from '../../src/stanza/stanza.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'

const disco = NS.discoInfo
const quill = new Program(disco, 'urn:xmpp:avatar:metadata+notify', 'urn:xmpp:ping')
const notify = 'urn:xmpp:avatar:metadata+notify'

const capabilities = (stage: Stage): Capabilities =>
  stage.server.hosts.get(stage.domain)!.service(capabilitiesKey)
const featuresOf = (actor: Actor) => capabilities(actor.stage).of(Jid.parse(actor.full))
const hits = (stage: Stage, limit: string) => stage.metrics.valueOf('limit_hits_total', limit) ?? 0

/** Who became known to whom, in order. */
function overhears(stage: Stage): string[] {
  const told: string[] = []
  capabilities(stage).onKnown(
    (full, _, account) => void told.push(`${full.toString()} for ${account.toString()}`),
  )
  return told
}

scene(
  'XEP-0115 §6.2: a client is asked once for its hash, by its account',
  async ({ stage, juliet, romeo }) => {
    const told = overhears(stage)
    await juliet.online(`<presence>${quill.c}</presence>`)
    assert.equal(featuresOf(juliet), undefined)
    await quill.isAsked(juliet, `<query xmlns='${disco}' node='https://quill.example#${quill.version}'/>`)
    assert.equal(featuresOf(juliet)?.has(notify), true)
    assert.equal(featuresOf(juliet)?.has('urn:xmpp:unheard+notify'), false)

    await romeo.online(`<presence>${quill.c}</presence>`)
    await romeo.hearsNothingMore()
    assert.equal(featuresOf(romeo)?.has(notify), true)
    assert.deepEqual(told, [`${juliet.full} for ${juliet.bare}`, `${romeo.full} for ${romeo.bare}`])
  },
)

scene('XEP-0115 §8.4: later presence may leave it out; news is told once', async ({ stage, juliet }) => {
  const told = overhears(stage)
  await quill.starts(juliet)
  juliet.sends(`<presence><show>away</show></presence>`)
  juliet.sends(`<presence>${quill.c}</presence>`)
  await juliet.settled()
  assert.equal(featuresOf(juliet)?.has(notify), true)
  assert.equal(told.length, 1)

  juliet.sends(`<presence type='unavailable'/>`)
  await juliet.settled()
  assert.equal(featuresOf(juliet), undefined)
  juliet.sends(`<presence/>`)
  await juliet.settled()
  assert.equal(featuresOf(juliet), undefined)
  juliet.sends(`<presence>${quill.c}</presence>`)
  await juliet.settled()
  assert.equal(told.length, 2)
})

scene('XEP-0115 §5.4: two at the same time are one question', async ({ juliet, romeo }) => {
  await juliet.online(`<presence>${quill.c}</presence>`)
  await romeo.online(`<presence>${quill.c}</presence>`)
  await romeo.hearsNothingMore()
  await quill.isAsked(juliet)
  await romeo.hearsNothingMore()
  assert.equal(featuresOf(romeo)?.has(notify), true)
})

scene(
  'XEP-0115 §5.4, step 9: a wrong answer is its own, and the next is asked',
  async ({ juliet, romeo, nurse }) => {
    const liar = new Program(disco, 'urn:xmpp:lies+notify')
    await juliet.online(`<presence>${quill.c}</presence>`)
    await romeo.online(`<presence>${quill.c}</presence>`)
    await liar.isAsked(juliet)
    assert.deepEqual([...featuresOf(juliet)!], liar.info.features)
    assert.equal(featuresOf(romeo), undefined)
    await quill.isAsked(romeo)
    assert.equal(featuresOf(romeo)?.has(notify), true)
    assert.equal(featuresOf(romeo)?.has('urn:xmpp:lies+notify'), false)
    assert.deepEqual([...featuresOf(juliet)!], liar.info.features)
    await quill.starts(nurse, true)
    assert.equal(featuresOf(nurse)?.has(notify), true)
  },
)

scene(
  'XEP-0115 §9.3: who answers first cannot hide a feature as the name of a form',
  async ({ juliet, romeo }) => {
    // The same string is hashed, whether its last feature is one or the FORM_TYPE of a form without fields.
    const last = 'urn:xmpp:z+notify'
    const honest = new Program(disco, last)
    const poisoned = new Program(disco)
    Object.assign(poisoned, { info: { ...poisoned.info, forms: [resultForm(last, {})] } })
    assert.equal(poisoned.version, honest.version)
    await juliet.online(`<presence>${honest.c}</presence>`)
    await poisoned.isAsked(juliet)
    await honest.starts(romeo, true)
    assert.equal(featuresOf(romeo)?.has(last), true)
  },
)

scene(
  'XEP-0115 §5.4, steps 3 to 5: an answer with something twice counts for nobody',
  async ({ juliet, romeo }) => {
    const twice = new Program(disco, disco)
    await juliet.online(`<presence>${twice.c}</presence>`)
    await romeo.online(`<presence>${twice.c}</presence>`)
    await twice.isAsked(juliet)
    assert.equal(featuresOf(juliet), undefined)
    await twice.isAsked(romeo)
    assert.equal(featuresOf(romeo), undefined)
  },
)

scene(
  'XEP-0115 §5.4, step 2: an unknown hash function is believed for one resource',
  async ({ juliet, romeo }) => {
    const unknown = quill.c.replace('sha-1', 'whirlpool')
    await juliet.online(`<presence>${unknown}</presence>`)
    await quill.isAsked(juliet)
    assert.equal(featuresOf(juliet)?.has(notify), true)
    await romeo.online(`<presence>${unknown}</presence>`)
    await quill.isAsked(romeo)
    assert.equal(featuresOf(romeo)?.has(notify), true)
  },
)

scene('XEP-0115 §5.4, step 1, §8.3: without a hash nothing is asked', async ({ juliet, romeo }) => {
  await juliet.online(`<presence>${quill.c.replace(`hash='sha-1'`, '')}</presence>`)
  await juliet.hearsNothingMore()
  await romeo.online()
  await romeo.hearsNothingMore()
  assert.equal(featuresOf(juliet), undefined)
  assert.equal(featuresOf(romeo), undefined)
})

scene('XEP-0390 §4.4: its hashes are asked for by their node, and checked', async ({ juliet, romeo }) => {
  await juliet.online(`<presence>${quill.c2}${quill.c}</presence>`)
  await quill.isAsked(
    juliet,
    `<query xmlns='${disco}' node='urn:xmpp:caps#sha-256.${capsHash(quill.info, 'sha-256')}'/>`,
  )
  assert.deepEqual([...featuresOf(juliet)!], quill.info.features)
  await romeo.online(`<presence>${quill.c2}</presence>`)
  await romeo.hearsNothingMore()
  assert.equal(featuresOf(romeo)?.has(notify), true)
})

scene(
  'a client that does not answer is left alone, and another one is asked',
  async ({ stage, juliet, romeo }) => {
    await juliet.online(`<presence>${quill.c}</presence>`)
    await romeo.online(`<presence>${quill.c}</presence>`)
    await juliet.receives(`<iq type='get' id='{any}'><query xmlns='${disco}'/></iq>`)
    await stage.passes(21_000)
    await quill.isAsked(romeo)
    await juliet.hearsNothingMore()
    for (const actor of [juliet, romeo]) assert.equal(featuresOf(actor)?.has(notify), true)
  },
)

scene('who leaves while it is asked hands the question on', async ({ juliet, romeo }) => {
  await juliet.online(`<presence>${quill.c}</presence>`)
  await romeo.online(`<presence>${quill.c}</presence>`)
  const request = await juliet.receives(`<iq type='get' id='{any}'><query xmlns='${disco}'/></iq>`)
  juliet.sends(`<presence type='unavailable'/>`)
  juliet.sends(quill.answer(request))
  await juliet.settled()
  await romeo.hearsNothingMore()
  assert.equal(featuresOf(romeo)?.has(notify), true)
  assert.equal(featuresOf(juliet), undefined)
})

/** Requests that leave for other servers, from here on. */
function questions(stage: Stage): Stanza[] {
  const asked: Stanza[] = []
  stage.server.elsewhere = { send: (stanza) => void (stanza.kind === 'iq' && asked.push(stanza)) }
  return asked
}

async function answers(stage: Stage, request: Stanza, program: Program): Promise<void> {
  const query = discoInfoElement(program.info, request.children[0]!.attrs['node'])
  const { id, to, from } = request
  stage.server.hosts
    .get(stage.domain)!
    .send(Stanza.of({ kind: 'iq', type: 'result', id, from: to!, to: from }, query))
  await stage.settled()
}

const mercutio = 'mercutio@verona.example'
const heardBy = (actor: Actor) =>
  [...capabilities(actor.stage).heardBy(Jid.parse(actor.bare))].map((jid) => jid.toString())

scene(
  'XEP-0163 §4.3.3: contacts elsewhere are known by the presence they send, until they take it back',
  async ({ stage, juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    await grants(juliet, mercutio)
    await grants(romeo, mercutio)
    const told = overhears(stage)
    const asked = questions(stage)
    const full = `${mercutio}/square`
    await arrives(stage, `<presence from='${full}' to='${juliet.bare}'>${quill.c}</presence>`)
    await arrives(stage, `<presence from='${full}' to='${romeo.bare}'>${quill.c}</presence>`)
    assert.deepEqual(
      asked.map(({ from, to }) => [from.toString(), to?.toString()]),
      [[juliet.bare, full]],
    )
    await answers(stage, asked[0]!, quill)
    assert.equal(capabilities(stage).of(Jid.parse(full))?.has(notify), true)
    assert.deepEqual(heardBy(juliet), [full])
    assert.deepEqual(told, [`${full} for ${juliet.bare}`, `${full} for ${romeo.bare}`])

    await arrives(stage, `<presence from='${full}' to='${juliet.bare}' type='unavailable'/>`)
    assert.deepEqual(heardBy(juliet), [])
    assert.deepEqual(heardBy(romeo), [full])
    await arrives(stage, `<presence from='${full}' to='${juliet.bare}'>${quill.c}</presence>`)
    assert.deepEqual(told.slice(2), [`${full} for ${juliet.bare}`])
    for (const { bare } of [juliet, romeo])
      await arrives(stage, `<presence from='${full}' to='${bare}' type='unavailable'/>`)
    assert.equal(capabilities(stage).of(Jid.parse(full)), undefined)
    assert.equal(asked.length, 1)
  },
)

scene('strangers, rooms and our own broadcasts are not heard', async ({ stage, juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  await grants(juliet, 'friend@verona.example')
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
  await stage.settled()
  const asked = questions(stage)
  for (const [from, to] of [
    [`${mercutio}/square`, juliet.bare],
    ['hall@rooms.verona.example/tybalt', juliet.full],
    ['friend@verona.example/home', juliet.full],
  ])
    await arrives(stage, `<presence from='${from}' to='${to}'>${quill.c}</presence>`)
  romeo.sends(`<presence><show>dnd</show></presence>`)
  await stage.settled()
  assert.deepEqual(heardBy(juliet), [])
  assert.equal(asked.length, 0)
})

scene(
  'RFC 6121 §4.6: a contact here that shows itself to one account only is heard by that',
  async ({ stage, juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
    await romeo.settled()
    juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
    await juliet.settled()
    romeo.sends(`<presence type='unavailable'/>`)
    romeo.sends(`<presence to='${juliet.bare}'>${quill.c}</presence>`)
    await stage.settled()
    assert.deepEqual(heardBy(juliet), [romeo.full])
    await romeo.ignoresSoFar()
    romeo.sends(`<presence/>`)
    await stage.settled()
    assert.deepEqual(heardBy(juliet), [])
  },
)

scene('XEP-0163 §7.1: an account that is away hears of them too', async ({ stage, juliet }) => {
  await juliet.online()
  await grants(juliet, mercutio)
  await juliet.leaves()
  questions(stage)
  await arrives(stage, `<presence from='${mercutio}/square' to='${juliet.bare}'>${quill.c}</presence>`)
  assert.deepEqual(heardBy(juliet), [`${mercutio}/square`])
})

scene(
  'modules.capabilities: of one contact so many resources are remembered, the latest',
  async ({ stage, juliet }) => {
    await juliet.online()
    await grants(juliet, mercutio)
    await grants(juliet, 'friend@verona.example')
    questions(stage)
    await arrives(
      stage,
      `<presence from='friend@verona.example/home' to='${juliet.bare}'>${quill.c}</presence>`,
    )
    const of = (count: number) => Array.from({ length: count }, (_, number) => `${mercutio}/${number}`)
    for (const from of of(20))
      await arrives(stage, `<presence from='${from}' to='${juliet.bare}'>${quill.c}</presence>`)
    assert.deepEqual(heardBy(juliet), ['friend@verona.example/home', ...of(20)])
    assert.equal(hits(stage, 'caps_resources'), 0)
    for (const from of of(2_000).slice(20))
      stage.server.hosts
        .get(stage.domain)!
        .send(Stanza.parse(`<presence xmlns='jabber:client' from='${from}' to='${juliet.bare}'/>`))
    await stage.settled()
    assert.deepEqual(heardBy(juliet), ['friend@verona.example/home', ...of(2_000).slice(-20)])
    assert.equal(hits(stage, 'caps_resources'), 1_980)
  },
)

scene(
  'modules.capabilities.resources: in all so many are remembered',
  async ({ stage, juliet }) => {
    await juliet.online()
    await grants(juliet, mercutio)
    await grants(juliet, 'friend@verona.example')
    questions(stage)
    for (const from of [`${mercutio}/1`, `${mercutio}/2`, 'friend@verona.example/3'])
      await arrives(stage, `<presence from='${from}' to='${juliet.bare}'/>`)
    assert.deepEqual(heardBy(juliet), [`${mercutio}/2`, 'friend@verona.example/3'])
    assert.equal(hits(stage, 'caps_resources'), 1)
    for (let number = 0; number < 200; number++)
      await arrives(stage, `<presence from='${mercutio}/${number}' to='${juliet.bare}'/>`)
    assert.equal(heardBy(juliet).length, 2)
  },
  { set: ['modules.capabilities.resources=2'] },
)

scene(
  'modules.capabilities.hashes: so many are remembered, and what is forgotten is asked again',
  async ({ stage, juliet }) => {
    const programs = Array.from({ length: 60 }, (_, number) => new Program(disco, `urn:x-test:${number}`))
    await juliet.online()
    const becomes = (program: Program) => juliet.sends(`<presence>${program.c}</presence>`)
    const asked = async (program: Program) => {
      await juliet.ignoresSoFar()
      becomes(program)
      await juliet.receives(`<presence from='${juliet.full}'>${program.c}</presence>`)
      await program.isAsked(juliet)
    }
    await asked(programs[0]!)
    await asked(programs[1]!)
    becomes(programs[0]!)
    await juliet.receives(`<presence from='${juliet.full}'>${programs[0]!.c}</presence>`)
    await juliet.hearsNothingMore()
    assert.equal(hits(stage, 'caps_hashes'), 0)
    for (const program of programs.slice(2)) await asked(program)
    assert.equal(hits(stage, 'caps_hashes'), 58)
    await asked(programs[0]!)
  },
  { set: ['modules.capabilities.hashes=2'] },
)

scene('an answer of more than 32 KB or 500 features is not believed', async ({ stage, juliet, romeo }) => {
  const many = (count: number) =>
    new Program(...Array.from({ length: count }, (_, number) => `urn:x-test:${number}`))
  await many(500).starts(juliet)
  assert.equal(featuresOf(juliet)?.has('urn:x-test:499'), true)
  assert.equal(hits(stage, 'caps_size'), 0)
  for (const program of [many(501), many(4_000), new Program('x'.repeat(33_000))]) {
    await romeo.ignoresSoFar()
    romeo.sends(`<presence type='unavailable'/>`)
    await romeo.ignoresSoFar()
    await program.starts(romeo)
    assert.equal(featuresOf(romeo), undefined)
  }
  assert.equal(hits(stage, 'caps_size'), 3)
})

scene(
  'a reload forgets nothing, unless the bounds change; then sessions are asked again',
  async ({ stage, juliet }) => {
    const reloads = async (...set: string[]) => {
      const all = [`domain=${stage.domain}`, `domains=["${OTHER_DOMAIN}"]`, ...set]
      const { config } = loadConfig({ modules, env: {}, files: secretFiles, set: all })
      await stage.server.reload(config)
    }
    await juliet.online()
    await grants(juliet, mercutio)
    questions(stage)
    await arrives(stage, `<presence from='${mercutio}/square' to='${juliet.bare}'/>`)
    await juliet.ignoresSoFar()
    juliet.sends(`<presence>${quill.c}</presence>`)
    await juliet.receives(`<presence from='${juliet.full}'>{any}</presence>`)
    await quill.isAsked(juliet)

    await reloads('modules.vcard.enabled=true')
    assert.equal(featuresOf(juliet)?.has(notify), true)
    assert.deepEqual(heardBy(juliet), [`${mercutio}/square`])
    await juliet.hearsNothingMore()

    await reloads('modules.capabilities.hashes=7')
    await quill.isAsked(juliet)
    assert.equal(featuresOf(juliet)?.has(notify), true)
  },
)

scene(
  'XEP-0115, XEP-0198: who could not answer for want of a stream is asked when it is back, also after a restart',
  async ({ stage, juliet }) => {
    await juliet.online(`<presence>${quill.c}</presence>`)
    juliet.raw(`<enable xmlns='${NS.streamManagement}' resume='true'/>`)
    let enabled = await juliet.next('enabled')
    while (enabled.local !== 'enabled') enabled = await juliet.next('enabled')
    for (const restarts of [false, true]) {
      await juliet.vanishes()
      await juliet.isGone()
      if (restarts) await stage.restarts()
      await stage.passes(60_000)
      assert.equal(featuresOf(juliet), undefined)
      await juliet.authenticates()
      const previd = enabled.attrs['id']!
      juliet.raw(`<resume xmlns='${NS.streamManagement}' previd='${previd}' h='${juliet.handled}'/>`)
      await juliet.receives(`<resumed xmlns='${NS.streamManagement}'/>`)
      juliet.isConnected = true
      if (!restarts) await juliet.ignoresSoFar()
    }
    // The last question is the one that counts.
    await juliet.settled()
    const questions: Element[] = []
    while (juliet.waiting > 0) questions.push(await juliet.next())
    juliet.sends(quill.answer(questions.findLast((one) => one.child('query', disco))!))
    await juliet.settled()
    assert.equal(featuresOf(juliet)?.has(notify), true)
  },
)
