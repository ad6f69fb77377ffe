/** External components: who is let in, what they may say, and what becomes of stanzas for those that are away. */
import assert from 'node:assert/strict'
import { Component, known } from '../support/component.js'
import { scene, secretFiles, type Stage, type StageOptions } from '../support/stage.js'
import { loadConfig } from '../../src/config/load.js'
import { modules } from '../../src/modules/index.js'

const PLAYS = 'plays.capulet.example'
const withPlays: StageOptions = { set: [known(PLAYS)] }

scene(
  'XEP-0114 §3: the handshake, then stanzas both ways, whatever the namespace of the stream',
  async ({ juliet, stage }) => {
    const plays = new Component(stage, PLAYS)
    const id = await plays.greets()
    assert.match(
      plays.heard,
      new RegExp(
        `^<\\?xml version='1.0'\\?><stream:stream xmlns='jabber:component:accept'[^>]* from='${PLAYS}'>$`,
      ),
    )
    assert.doesNotMatch(plays.heard, / version='1.0' xml:lang/)
    plays.shows(id)
    await plays.receives('<handshake/>')
    await juliet.online()

    plays.sends(
      `<message from='romeo@${PLAYS}/act2' to='${juliet.full}' type='chat'><body>But soft!</body><x xmlns='urn:x'><body/></x></message>`,
    )
    await juliet.receives(
      `<message from='romeo@${PLAYS}/act2' to='${juliet.full}' type='chat'><body>But soft!</body><x xmlns='urn:x'><body/></x></message>`,
    )
    assert.doesNotMatch(juliet.heard, /jabber:component/)
    juliet.sends(
      `<message to='romeo@${PLAYS}/act2' type='chat'><body>Ay me!</body><x xmlns='urn:x'/></message>`,
    )
    await plays.receives(
      `<message from='${juliet.full}' to='romeo@${PLAYS}/act2' type='chat'><body>Ay me!</body><x xmlns='urn:x'/></message>`,
    )
    assert.doesNotMatch(plays.heard, /jabber:client/)
    const asked = juliet.gets(`<query xmlns='jabber:iq:version'/>`, PLAYS)
    const request = await plays.receives(
      `<iq type='get' from='${juliet.full}'><query xmlns='jabber:iq:version'/></iq>`,
    )
    plays.sends(
      `<iq type='result' id='${String(request.attrs['id'])}' from='${PLAYS}' to='${juliet.full}'><query xmlns='jabber:iq:version'><name>Quarto</name></query></iq>`,
    )
    assert.match((await asked).toString(), /<name>Quarto<\/name>/)
  },
  withPlays,
)

for (const [what, greeting, condition] of [
  ['a domain that nobody configured', `to='other.${PLAYS}'`, 'host-unknown'],
  ['a domain of ours', `to='capulet.example'`, 'host-unknown'],
  ['no domain at all', '', 'host-unknown'],
  ['an account', `to='romeo@${PLAYS}'`, 'host-unknown'],
] as const)
  scene(
    `XEP-0114 §3: ${what} is no component`,
    async ({ stage }) => {
      const plays = new Component(stage, PLAYS)
      await plays.greets(greeting)
      await plays.isDisconnected(condition)
      assert.match(stage.logged.join('\n'), /component\.refused/)
    },
    withPlays,
  )

scene(
  'XEP-0114 §3: a stream of clients is not for this door',
  async ({ stage }) => {
    const plays = new Component(stage, PLAYS)
    plays.dials()
    plays.raw(
      `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${PLAYS}'>`,
    )
    await plays.isDisconnected('invalid-namespace')
  },
  withPlays,
)

scene(
  'XEP-0114 §3: who does not know the secret is not authorized, nor is who says anything before',
  async ({ stage, juliet }) => {
    await juliet.online()
    const plays = new Component(stage, PLAYS)
    for (const proof of [
      '<handshake/>',
      '<handshake>the play is the thing</handshake>',
      `<handshake>${'0'.repeat(40)}</handshake>`,
      `<message from='romeo@${PLAYS}' to='${juliet.full}'/>`,
    ]) {
      await plays.greets()
      plays.raw(proof)
      await plays.isDisconnected('not-authorized')
    }
    // The proof is of one stream only.
    const id = await plays.greets()
    await plays.greets()
    plays.shows(id)
    await plays.isDisconnected('not-authorized')
    await juliet.hearsNothingMore()
    const told = stage.logged.filter((line) => /component\.refused.*it does not know the secret/.test(line))
    assert.equal(told.length, 4)
  },
  withPlays,
)

scene(
  'XEP-0114 §3: it speaks for all addresses of its domain and for no other',
  async ({ stage, juliet }) => {
    await juliet.online()
    for (const [stanza, condition] of [
      [`<message from='romeo@capulet.example' to='${juliet.full}'/>`, 'invalid-from'],
      [`<message from='x.${PLAYS}' to='${juliet.full}'/>`, 'invalid-from'],
      [`<message from='@@' to='${juliet.full}'/>`, 'invalid-from'],
      [`<message to='${juliet.full}'/>`, 'improper-addressing'],
      [`<message from='${PLAYS}'/>`, 'improper-addressing'],
      [`<handshake/>`, 'unsupported-stanza-type'],
      [`<message xmlns='jabber:client' from='${PLAYS}' to='${juliet.full}'/>`, 'unsupported-stanza-type'],
    ] as const) {
      const plays = new Component(stage, PLAYS)
      await plays.connects()
      plays.raw(stanza)
      await plays.isDisconnected(condition)
    }
    await juliet.hearsNothingMore()
  },
  withPlays,
)

scene(
  'RFC 6120 §8.3: what cannot be a stanza is answered with an error, and the stream goes on',
  async ({ stage }) => {
    const plays = new Component(stage, PLAYS)
    await plays.connects()
    for (const [stanza, condition] of [
      [`<message from='a@${PLAYS}' to='@@'/>`, 'jid-malformed'],
      [`<iq from='a@${PLAYS}' to='juliet@capulet.example' id='i' type='get'/>`, 'bad-request'],
      [`<iq from='a@${PLAYS}' to='juliet@capulet.example' type='get'><q xmlns='urn:q'/></iq>`, 'bad-request'],
    ] as const) {
      plays.sends(stanza)
      const error = await plays.next()
      assert.deepEqual([error.attrs['type'], error.attrs['to']], ['error', `a@${PLAYS}`])
      assert.ok(
        error.childrenOf()[0]?.child(condition, 'urn:ietf:params:xml:ns:xmpp-stanzas'),
        error.toString(),
      )
    }
    // Nobody is there whom one could answer.
    plays.sends(`<message from='"@${PLAYS}' to='juliet@capulet.example'/>`)
    await plays.settled()
    assert.equal(plays.waiting, 0)
  },
  withPlays,
)

scene(
  'limits: a stanza that is too large goes back, the stream goes on',
  async ({ stage, juliet }) => {
    await juliet.online()
    const plays = new Component(stage, PLAYS)
    await plays.connects()
    plays.raw(
      `<message from='${PLAYS}' to='${juliet.full}' id='m'><body>${'x'.repeat(15_000)}</body></message>`,
    )
    await plays.receives(`<message type='error' id='m' to='${PLAYS}'><error type='modify'>
      <policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text>
      <stanza-too-big xmlns='urn:xmpp:errors'/></error></message>`)
    await plays.settled()
    await juliet.hearsNothingMore()
  },
  { set: [known(PLAYS), 'limits.s2s_stanza_size=10000B'] },
)

scene(
  'limits: before the handshake little is read, and not for long',
  async ({ stage }) => {
    const large = new Component(stage, PLAYS)
    await large.greets()
    large.raw(`<handshake>${'0'.repeat(20_000)}</handshake>`)
    await large.isDisconnected('policy-violation')
    const idle = new Component(stage, PLAYS)
    await idle.greets()
    stage.clock.advance(30_000)
    await idle.isDisconnected('connection-timeout')
  },
  withPlays,
)

scene(
  'XEP-0114: the newer connection of a component replaces the older one',
  async ({ stage, juliet }) => {
    await juliet.online()
    const [older, newer] = [new Component(stage, PLAYS), new Component(stage, PLAYS)]
    await older.connects()
    await newer.connects()
    await older.isDisconnected('conflict')
    juliet.sends(`<message to='${PLAYS}' id='m'/>`)
    await newer.receives(`<message from='${juliet.full}' to='${PLAYS}' id='m'/>`)
    assert.equal(stage.metrics.valueOf('component_up', PLAYS), 1)
    assert.match(stage.logged.join('\n'), /component\.replaced/)
    // A guess does not push anybody out.
    const guess = new Component(stage, PLAYS)
    guess.shows(await guess.greets(), 'guess')
    await guess.isDisconnected('not-authorized')
    juliet.sends(`<message to='${PLAYS}' id='n'/>`)
    await newer.receives(`<message from='${juliet.full}' to='${PLAYS}' id='n'/>`)
  },
  withPlays,
)

scene(
  'RFC 6120 §8.3.3.17: what is for a component that is away goes back, presence excepted',
  async ({ stage, juliet }) => {
    await juliet.online()
    const goesBack = async () => {
      juliet.sends(`<message to='romeo@${PLAYS}' id='m'><body>Wherefore?</body></message>`)
      await juliet.receives(`<message type='error' id='m' from='romeo@${PLAYS}'><error type='wait'>
        <remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
        <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>${PLAYS} is not connected</text></error></message>`)
    }
    await goesBack()
    await juliet.isRefused('remote-server-timeout', 'get', `<ping xmlns='urn:xmpp:ping'/>`, PLAYS)
    juliet.sends(`<presence to='romeo@${PLAYS}'/>`)
    await juliet.hearsNothingMore()
    assert.equal(stage.metrics.valueOf('component_up', PLAYS), 0)
    assert.deepEqual(stage.server.components, [{ domain: PLAYS, connected: undefined }])

    const plays = new Component(stage, PLAYS)
    await plays.connects()
    const connected = { ip: '127.0.0.1', since: stage.clock.now() }
    assert.deepEqual(stage.server.components, [{ domain: PLAYS, connected }])
    juliet.sends(`<message to='romeo@${PLAYS}' id='m'/>`)
    await plays.receives(`<message id='m' from='${juliet.full}'/>`)
    await plays.leaves()
    await goesBack()
    assert.deepEqual(stage.network.calls, [])
  },
  withPlays,
)

scene(
  'a component that does not read keeps nobody waiting: what does not fit goes back',
  async ({ stage, juliet }) => {
    await juliet.online()
    const plays = new Component(stage, PLAYS)
    await plays.connects()
    plays.stopsReading()
    const body = 'x'.repeat(100_000)
    for (const id of ['a', 'b', 'c'])
      juliet.raw(`<message to='${PLAYS}' id='${id}'><body>${body}</body></message>`)
    const error = await juliet.next()
    assert.deepEqual([error.attrs['id'], error.attrs['type']], ['c', 'error'])
    assert.match(error.toString(), /<resource-constraint /)
    plays.readsAgain()
    assert.deepEqual([(await plays.next()).attrs['id'], (await plays.next()).attrs['id']], ['a', 'b'])
    juliet.sends(`<message to='${PLAYS}' id='d'/>`)
    await plays.receives(`<message id='d'/>`)
  },
  { set: [known(PLAYS), 'limits.write_queue=256KiB'] },
)

scene(
  'RFC 6120 §4.6.1: a component that fell silent is asked, and given up when it does not answer',
  async ({ stage, juliet }) => {
    await juliet.online()
    const plays = new Component(stage, PLAYS)
    await plays.connects()
    stage.clock.advance(300_000)
    const ping = await plays.receives(
      `<iq type='get' from='${stage.domain}' to='${PLAYS}'><ping xmlns='urn:xmpp:ping'/></iq>`,
    )
    plays.sends(`<iq type='error' id='${String(ping.attrs['id'])}' from='${PLAYS}' to='${stage.domain}'/>`)
    await plays.settled()
    stage.clock.advance(240_000)
    await plays.settled()
    assert.equal(plays.waiting, 0)
    stage.clock.advance(300_000)
    await plays.next('a ping')
    stage.clock.advance(60_000)
    await plays.isDisconnected('connection-timeout')
    assert.equal(stage.metrics.valueOf('component_up', PLAYS), 0)
  },
  withPlays,
)

scene(
  'XEP-0030 §4: the domain lists the components below it while they are connected',
  async ({ stage, juliet, other }) => {
    await juliet.online()
    await other.romeo.online()
    const items = async (who: typeof juliet) =>
      [
        ...(await who.gets(`<query xmlns='http://jabber.org/protocol/disco#items'/>`, who.domain))
          .toString()
          .matchAll(/jid="([^"]+)"/g),
      ]
        .map(([, jid]) => jid!)
        .filter((jid) => !jid.startsWith('conference.'))
    assert.deepEqual(await items(juliet), [])
    const plays = new Component(stage, PLAYS)
    const elsewhere = new Component(stage, 'irc.example')
    await plays.connects()
    await elsewhere.connects()
    assert.deepEqual(await items(juliet), ['irc.example', PLAYS])
    assert.deepEqual(await items(other.romeo), ['irc.example'])
    await plays.leaves()
    assert.deepEqual(await items(juliet), ['irc.example'])
  },
  { set: [known(PLAYS), known('irc.example')] },
)

scene(
  'components talk to each other, and each to itself',
  async ({ stage }) => {
    const [plays, irc] = [new Component(stage, PLAYS), new Component(stage, 'irc.example')]
    await plays.connects()
    await irc.connects()
    plays.sends(`<message from='a@${PLAYS}' to='b@irc.example' id='m'/>`)
    await irc.receives(`<message from='a@${PLAYS}' to='b@irc.example' id='m'/>`)
    irc.sends(`<presence from='b@irc.example' to='c@irc.example'/>`)
    await irc.receives(`<presence from='b@irc.example' to='c@irc.example'/>`)
  },
  { set: [known(PLAYS), known('irc.example')] },
)

async function reloaded(stage: Stage, ...set: string[]): Promise<void> {
  const { config } = loadConfig({
    modules,
    env: {},
    files: secretFiles,
    set: [`domain=${stage.domain}`, 'domains=["montague.example"]', ...set],
  })
  await stage.server.reload(config)
}

scene('a reload lets components in and out, and leaves the others alone', async ({ stage, juliet }) => {
  await juliet.online()
  const plays = new Component(stage, PLAYS)
  await plays.greets()
  await plays.isDisconnected('host-unknown')
  await reloaded(stage, known(PLAYS))
  await plays.connects()
  await reloaded(stage, known(PLAYS), 'limits.depth=20')
  juliet.sends(`<message to='${PLAYS}' id='m'/>`)
  await plays.receives(`<message id='m'/>`)
  await reloaded(stage, known(PLAYS, 'another secret'))
  await plays.isDisconnected('reset')
  plays.shows(await plays.greets(), 'another secret')
  await plays.receives('<handshake/>')
  await reloaded(stage)
  await plays.isDisconnected('host-gone')
  juliet.sends(`<message to='${PLAYS}' id='n'/>`)
  await juliet.receives(`<message type='error' id='n'><error type='cancel'>
      <remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></message>`)
})

scene(
  'XEP-0220: other servers reach a component as any domain of ours, and hear from it',
  async ({ stage, far }) => {
    stage.network.add(PLAYS, (transport) => stage.server.acceptServer(transport))
    const plays = new Component(stage, PLAYS)
    await plays.connects()
    await far.juliet.online()
    far.juliet.sends(`<message to='romeo@${PLAYS}' id='m'><body>Ay me!</body></message>`)
    await plays.receives(
      `<message from='${far.juliet.full}' to='romeo@${PLAYS}' id='m'><body>Ay me!</body></message>`,
    )
    plays.sends(
      `<message from='romeo@${PLAYS}' to='${far.juliet.full}' id='n'><body>She speaks!</body></message>`,
    )
    await far.juliet.receives(
      `<message from='romeo@${PLAYS}' to='${far.juliet.full}' id='n'><body>She speaks!</body></message>`,
    )
    await plays.leaves()
    far.juliet.sends(`<message to='romeo@${PLAYS}' id='o'/>`)
    await far.juliet.receives(`<message type='error' id='o' from='romeo@${PLAYS}'><error type='wait'>
      <remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></message>`)
  },
  { set: [known(PLAYS), 's2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } },
)
