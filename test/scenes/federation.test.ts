/** Federation: two servers, and what people of both say to each other. */
import assert from 'node:assert/strict'
import { FAR_DOMAIN, scene, type Cast, type StageOptions } from '../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const byDialback: StageOptions = { set: ['s2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } }
const byCertificate: StageOptions = { far: {} }

/** Both servers have certificates that each believes. */
function certified({ stage }: Pick<Cast, 'stage'>): void {
  stage.network.certificates.add(stage.domain).add(FAR_DOMAIN)
}

const links = ({ stage }: Pick<Cast, 'stage'>, dir: string, auth: string) =>
  stage.metrics.valueOf('s2s_links', dir, auth)

scene(
  'XEP-0220 §2: a message finds its way over dialback, and so does the answer',
  async ({ romeo, far, stage }) => {
    await romeo.online()
    await far.juliet.online()
    romeo.sends(`<message to='${far.juliet.bare}' type='chat'><body>But soft!</body></message>`)
    await far.juliet.receives(
      `<message from='${romeo.full}' to='${far.juliet.bare}' type='chat'><body>But soft!</body></message>`,
    )
    far.juliet.sends(`<message to='${romeo.full}' type='chat'><body>Ay me!</body></message>`)
    await romeo.receives(`<message from='${far.juliet.full}' type='chat'><body>Ay me!</body></message>`)
    // XEP-0288: the answer came back on the same stream; the other one was for the key.
    assert.deepEqual([links({ stage }, 'out', 'dialback'), links({ stage }, 'in', 'dialback')], [1, 1])
    assert.deepEqual(stage.network.calls, [
      `${stage.domain} > ${FAR_DOMAIN}`,
      `${FAR_DOMAIN} > ${stage.domain}`,
    ])
  },
  byDialback,
)

scene(
  'XEP-0178 §3, RFC 6120 §13.7: with certificates SASL EXTERNAL is enough, and nobody calls back',
  async (cast) => {
    const { romeo, far, stage } = cast
    certified(cast)
    await romeo.online()
    await far.juliet.online()
    romeo.sends(`<message to='${far.juliet.bare}' type='chat'><body>But soft!</body></message>`)
    await far.juliet.receives(`<message from='${romeo.full}' type='chat'><body>But soft!</body></message>`)
    assert.deepEqual([links(cast, 'out', 'external'), links(cast, 'in', 'external')], [1, 1])
    assert.deepEqual(stage.network.calls, [`${stage.domain} > ${FAR_DOMAIN}`])
  },
  byCertificate,
)

scene(
  'XEP-0288 §2.2: one stream carries the stanzas of both, whoever speaks first, until it ends',
  async (cast) => {
    const { romeo, far, stage } = cast
    certified(cast)
    await romeo.online()
    await far.juliet.online()
    for (let i = 0; i < 50; i++) {
      const [speaker, hearer] = i % 3 === 0 ? [romeo, far.juliet] : [far.juliet, romeo]
      speaker.sends(`<message to='${hearer.full}' id='${i}'><body>${i}</body></message>`)
      await hearer.receives(`<message from='${speaker.full}' id='${i}'><body>${i}</body></message>`)
    }
    assert.deepEqual(stage.network.calls, [`${stage.domain} > ${FAR_DOMAIN}`])
    const there = stage.far!.server.federation!.links()
    assert.deepEqual(
      there.map(({ dir, state, auth }) => [dir, state, auth]),
      [
        ['out', 'open', 'external'],
        ['in', 'open', 'external'],
      ],
    )
    // What keeps one direction busy keeps the stream for both.
    for (let i = 0; i < 4; i++) {
      await stage.passes(45_000)
      far.juliet.sends(`<message to='${romeo.full}' id='n'><body>!</body></message>`)
      await romeo.receives(`<message id='n' from='{any}'><body>!</body></message>`)
    }
    assert.equal(stage.network.calls.length, 1)
    await stage.passes(120_000)
    assert.deepEqual(stage.server.federation!.links(), [])
    far.juliet.sends(`<message to='${romeo.full}' id='o'><body>?</body></message>`)
    await romeo.receives(`<message id='o' from='{any}'><body>?</body></message>`)
    assert.deepEqual(stage.network.calls.slice(1), [`${FAR_DOMAIN} > ${stage.domain}`])
  },
  { set: ['limits.s2s_idle=60s'], far: { set: ['limits.s2s_idle=60s'] } },
)

scene(
  's2s.policy=required: the server that calls back may be the one with the certificate',
  async ({ romeo, far, stage }) => {
    stage.network.certificates.add(FAR_DOMAIN)
    await romeo.online()
    await far.juliet.online()
    // The far server sees no certificate of ours, and believes us by dialback as it is told to.
    romeo.sends(`<message to='${far.juliet.bare}' type='chat'><body>But soft!</body></message>`)
    await far.juliet.receives(`<message from='${romeo.full}' type='chat'><body>But soft!</body></message>`)
    assert.equal(links({ stage }, 'out', 'dialback'), 1)
  },
  { far: { set: ['s2s.policy=dialback-ok'] } },
)

scene(
  's2s.policy=required: without a certificate nothing goes out, and the sender is told why',
  async ({ romeo, far, stage }) => {
    await romeo.online()
    await far.juliet.online()
    romeo.sends(`<iq type='get' id='p' to='${FAR_DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await stage.passes(60_000)
    await romeo.receives(
      `<iq type='error' id='p' from='${FAR_DOMAIN}'><error type='wait'><remote-server-timeout xmlns='${STANZAS}'/>` +
        `<text xmlns='${STANZAS}'>${FAR_DOMAIN}: the certificate is not one for ${FAR_DOMAIN}</text></error></iq>`,
    )
    const [link] = stage.server.federation!.links()
    assert.equal(link?.failure?.stage, 'certificate')
    assert.equal(link?.failure?.side, 'theirs')
  },
  { far: { set: ['s2s.policy=dialback-ok'] } },
)

scene(
  's2s.policy=required: a dialback key is not enough from a server without a certificate',
  async ({ romeo, far, stage }) => {
    await romeo.online()
    await far.juliet.online()
    far.juliet.sends(`<iq type='get' id='p' to='${stage.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await stage.passes(60_000)
    const reply = await far.juliet.next()
    assert.match(reply.child('error')?.child('text')?.text ?? '', /refused dialback: not-authorized/)
    assert.equal(links({ stage }, 'in', 'dialback'), 0)
  },
  { far: { set: ['s2s.policy=dialback-ok'] } },
)

scene(
  'RFC 6121 §3.1, §4.2, §4.3, §4.5: contacts on two servers see each other come and go',
  async (cast) => {
    const { romeo, far, stage } = cast
    const { juliet } = far
    certified(cast)
    await romeo.online()
    await juliet.online()
    romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
    await juliet.receives(`<presence type='subscribe' from='${romeo.bare}' to='${juliet.bare}'/>`)
    juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    await stage.settled()
    romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
    await romeo.ignoresSoFar()
    await juliet.ignoresSoFar()
    juliet.sends(`<presence><show>away</show></presence>`)
    await romeo.receives(`<presence from='${juliet.full}'><show>away</show></presence>`)
    await juliet.ignoresSoFar()
    await romeo.vanishes()
    await juliet.receives(`<presence type='unavailable' from='${romeo.full}' to='${juliet.bare}'/>`)
    // RFC 6121 §4.3.1: who comes online asks the other server, and is told.
    await romeo.online()
    await romeo.receives(`<presence from='${juliet.full}' to='${romeo.bare}'><show>away</show></presence>`)
    await juliet.receives(`<presence from='${romeo.full}' to='${juliet.bare}'/>`)
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
  byCertificate,
)

scene(
  'RFC 6121 §4.6.3: directed presence crosses servers, and its end does',
  async (cast) => {
    const { romeo, far } = cast
    certified(cast)
    await romeo.online()
    await far.juliet.online()
    romeo.sends(`<presence to='${far.juliet.full}'><status>here</status></presence>`)
    await far.juliet.receives(
      `<presence from='${romeo.full}' to='${far.juliet.full}'><status>here</status></presence>`,
    )
    await romeo.leaves()
    await far.juliet.receives(`<presence type='unavailable' from='${romeo.full}' to='${far.juliet.full}'/>`)
  },
  byCertificate,
)

scene(
  'RFC 6120 §10.1: what was said while there was no stream arrives in order, before what is said then',
  async (cast) => {
    const { romeo, far } = cast
    certified(cast)
    await romeo.online()
    await far.juliet.online()
    const said = Array.from({ length: 300 }, (_, index) => `${index}`)
    for (const body of said.slice(0, 200))
      romeo.sends(`<message to='${far.juliet.full}'><body>${body}</body></message>`)
    const heard: string[] = []
    const hears = async () => heard.push((await far.juliet.next()).child('body')?.text ?? '')
    for (let i = 0; i < 100; i++) await hears()
    for (const body of said.slice(200))
      romeo.sends(`<message to='${far.juliet.full}'><body>${body}</body></message>`)
    for (let i = 0; i < 200; i++) await hears()
    assert.deepEqual(heard, said)
  },
  { ...byCertificate, set: ['limits.c2s_stanza_rate=off'] },
)

scene(
  'RFC 6120 §8.3.3: an error and a request cross servers and back',
  async (cast) => {
    const { romeo, far } = cast
    certified(cast)
    await romeo.online()
    const answer = await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, FAR_DOMAIN)
    assert.equal(answer.attrs['type'], 'result')
    romeo.sends(`<message to='nobody@${far.juliet.domain}' id='m' type='chat'><body>?</body></message>`)
    await romeo.receives(
      `<message type='error' id='m' from='nobody@${FAR_DOMAIN}'><error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error></message>`,
    )
  },
  byCertificate,
)

scene(
  'RFC 6120 §8.3.3.16: a domain that is not there is told at once, whatever was sent',
  async ({ romeo, stage }) => {
    await romeo.online()
    romeo.sends(`<message to='a@nowhere.example' id='m'><body>?</body></message>`)
    romeo.sends(`<iq to='nowhere.example' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`)
    romeo.sends(`<presence to='room@nowhere.example/romeo' id='p'/>`)
    romeo.sends(`<presence to='a@nowhere.example' id='q'/>`)
    const error = `<error type='cancel'><remote-server-not-found xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>there is no server for nowhere.example</text></error>`
    await romeo.receives(`<message type='error' id='m' from='a@nowhere.example'>${error}</message>`)
    await romeo.receives(`<iq type='error' id='i' from='nowhere.example'>${error}</iq>`)
    // Who enters a room waits for an answer; who only informs does not.
    await romeo.receives(
      `<presence type='error' id='p' from='room@nowhere.example/romeo'>${error}</presence>`,
    )
    await romeo.hearsNothingMore()
    assert.equal(stage.metrics.valueOf('s2s_attempts_total', 'dns', 'failed'), 1)
    assert.equal(stage.metrics.valueOf('s2s_failing_domains'), 1)
  },
)

scene(
  'Blocked domains: nothing goes out, nothing comes in, and both sides are told',
  async ({ romeo, far, stage }) => {
    await romeo.online()
    await far.juliet.online()
    await stage.server.blocks.add(FAR_DOMAIN, { reason: 'spam', expires: undefined })
    romeo.sends(`<message to='${far.juliet.bare}' id='m'><body>?</body></message>`)
    await romeo.receives(
      `<message type='error' id='m'><error type='cancel'><not-allowed xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>${FAR_DOMAIN} is blocked by this server: spam</text></error></message>`,
    )
    assert.deepEqual(stage.network.calls, [])
    far.juliet.sends(`<iq to='${stage.domain}' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await stage.passes(60_000)
    const reply = await far.juliet.next()
    assert.match(
      reply.child('error')?.child('text')?.text ?? '',
      /policy-violation.*is blocked by this server: spam/,
    )
    assert.equal(links({ stage }, 'in', 'dialback'), 0)
  },
  byDialback,
)

scene(
  'A block ends the links that there are',
  async ({ romeo, far, stage }) => {
    await romeo.online()
    await far.juliet.online()
    romeo.sends(`<iq to='${FAR_DOMAIN}' type='get' id='i'><ping xmlns='urn:xmpp:ping'/></iq>`)
    await romeo.receives(`<iq type='result' id='i'/>`)
    await stage.passes(100)
    assert.equal(stage.server.federation!.drop(FAR_DOMAIN, 'spam'), 2)
    await stage.settled()
    assert.deepEqual(stage.server.federation!.links(), [])
    assert.deepEqual(stage.far!.server.federation!.links(), [])
  },
  byDialback,
)
