/** What other servers may try that is not theirs to do, and what they get for it (RFC 6120 §4.9, §13; XEP-0220). */
import assert from 'node:assert/strict'
import { Peer } from '../support/peer.js'
import { FAR_DOMAIN, OTHER_DOMAIN, scene, type Cast } from '../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const anyone = { set: ['s2s.policy=dialback-ok'] }

/** A server with a certificate that has proved its domain. */
async function friend(stage: Cast['stage'], domain = FAR_DOMAIN): Promise<Peer> {
  const peer = new Peer(stage, domain, [domain])
  await peer.opens()
  peer.asksDialback()
  await peer.receives(valid(domain, stage.domain))
  return peer
}

/** A server that a message of romeo's has called, that has believed us and got it. */
async function reached(romeo: Cast['romeo'], stage: Cast['stage']): Promise<Peer> {
  const verona = serving(romeo, stage)
  await verona.believes()
  await verona.next('the message')
  return verona
}

/** A server that a message of romeo's is about to call. */
function serving(romeo: Cast['romeo'], stage: Cast['stage']): Peer {
  const verona = new Peer(stage, FAR_DOMAIN)
  verona.serves()
  romeo.sends(`<message to='juliet@${FAR_DOMAIN}'><body>hey</body></message>`)
  return verona
}

const valid = (sender: string, target: string) => `<db:result type='valid' from='${target}' to='${sender}'/>`
const refused = (sender: string, target: string, condition: string) =>
  `<db:result type='error' from='${target}' to='${sender}'><error><${condition} xmlns='${STANZAS}'/></error></db:result>`
const because = (sender: string, target: string, condition: string, text: string) =>
  `<db:result type='error' from='${target}' to='${sender}'><error><${condition} xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>${text}</text></error></db:result>`

// Streams ---------------------------------------------------------------------------------------------------------

scene('RFC 6120 §5.3.1: nothing but TLS is offered or done before TLS', async ({ stage }) => {
  const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
  peer.dials()
  peer.startsStream()
  await peer.receives(
    `<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>`,
  )
  peer.asksDialback()
  await peer.receives(because(FAR_DOMAIN, stage.domain, 'policy-violation', 'TLS comes first'))
  peer.raw(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
  await peer.isDisconnected('unsupported-stanza-type')
})

scene(
  'RFC 6120 §5.4.3.3: plain text behind <starttls/> is not read as if it came over TLS',
  async ({ stage }) => {
    const peer = new Peer(stage, FAR_DOMAIN)
    peer.dials()
    peer.startsStream()
    await peer.next()
    peer.raw(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><db:result from='a' to='b'>key</db:result>`)
    await peer.isDisconnected('policy-violation')
  },
)

for (const [what, attributes, condition] of [
  ['a domain that is not served', `from='${FAR_DOMAIN}' to='nowhere.example' version='1.0'`, 'host-unknown'],
  ['no addressee', `from='${FAR_DOMAIN}' version='1.0'`, 'improper-addressing'],
  ['a sender that is no domain', `from='a@b@c' to='capulet.example' version='1.0'`, 'improper-addressing'],
  ['a domain of ours', `from='${OTHER_DOMAIN}' to='capulet.example' version='1.0'`, 'invalid-from'],
  ['no version', `from='${FAR_DOMAIN}' to='capulet.example'`, 'unsupported-version'],
] as const)
  scene(`RFC 6120 §4.7, §4.9.3: a stream header with ${what} gets ${condition}`, async ({ stage }) => {
    const peer = new Peer(stage, FAR_DOMAIN)
    peer.dials()
    peer.startsStream(attributes)
    await peer.isDisconnected(condition)
  })

scene(
  'RFC 6120 §4.9.3.9: who was called another domain before TLS may be so after it, but not after proof',
  async ({ stage }) => {
    const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
    await peer.opens()
    peer.raw(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
    await peer.receives(`<success xmlns='${SASL}'/>`)
    peer.startsStream(`from='mantua.example' to='${stage.domain}' version='1.0'`)
    await peer.isDisconnected('invalid-from')
  },
)

scene('RFC 6120 §4.9.3.24: what nobody knows ends the stream', async ({ stage }) => {
  const peer = await friend(stage)
  peer.raw(`<shout xmlns='urn:example:noise'/>`)
  await peer.isDisconnected('unsupported-stanza-type')
})

// SASL ------------------------------------------------------------------------------------------------------------

scene(
  'XEP-0178 §3: EXTERNAL is offered to a server whose certificate is for its domain, and to no other',
  async ({ stage }) => {
    const certified = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
    const mechanisms = (await certified.opens()).child('mechanisms')
    assert.deepEqual(
      mechanisms?.childrenOf('mechanism').map(({ text }) => text),
      ['EXTERNAL'],
    )
    const other = new Peer(stage, FAR_DOMAIN, ['mantua.example'])
    assert.equal((await other.opens()).child('mechanisms'), undefined)
    other.raw(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
    await other.isDisconnected('unsupported-stanza-type')
  },
)

scene(
  'XEP-0178 §3: with "=", with its own domain, and after an empty challenge; as somebody else never',
  async ({ romeo, stage }) => {
    await romeo.online()
    const own = Buffer.from(FAR_DOMAIN).toString('base64')
    const foreign = Buffer.from('mantua.example').toString('base64')
    for (const answers of [['='], [own], ['', '='], ['', own]]) {
      const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
      await peer.opens()
      peer.raw(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>${foreign}</auth>`)
      await peer.receives(`<failure xmlns='${SASL}'><invalid-authzid/></failure>`)
      peer.raw(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>${answers[0]}</auth>`)
      if (answers.length > 1) {
        await peer.receives(`<challenge xmlns='${SASL}'/>`)
        peer.raw(`<response xmlns='${SASL}'>${answers[1]}</response>`)
      }
      await peer.receives(`<success xmlns='${SASL}'/>`)
      peer.startsStream()
      assert.equal((await peer.next('features')).child('mechanisms'), undefined)
      peer.sends(`<message from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>hail</body></message>`)
      await romeo.receives(
        `<message from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>hail</body></message>`,
      )
      await peer.leaves()
    }
  },
)

// Stanzas ---------------------------------------------------------------------------------------------------------

scene(
  'RFC 6120 §4.9.3.12: a stanza before any domain is proved ends the stream',
  async ({ romeo, stage }) => {
    await romeo.online()
    const peer = new Peer(stage, FAR_DOMAIN)
    await peer.opens()
    peer.sends(`<message from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>hail</body></message>`)
    await peer.isDisconnected('not-authorized')
    await romeo.hearsNothingMore()
  },
)

for (const [what, attributes, condition] of [
  ['of another domain', `from='paris@mantua.example' to='romeo@capulet.example'`, 'invalid-from'],
  ['of a domain of ours', `from='juliet@capulet.example' to='romeo@capulet.example'`, 'invalid-from'],
  ['of a subdomain', `from='paris@sub.${FAR_DOMAIN}' to='romeo@capulet.example'`, 'invalid-from'],
  ['of nobody', `to='romeo@capulet.example'`, 'improper-addressing'],
  ['to nobody', `from='paris@${FAR_DOMAIN}'`, 'improper-addressing'],
  ['to a domain that is not served', `from='paris@${FAR_DOMAIN}' to='a@nowhere.example'`, 'host-unknown'],
  ['to a domain it was not proved for', `from='paris@${FAR_DOMAIN}' to='a@${OTHER_DOMAIN}'`, 'invalid-from'],
] as const)
  scene(
    `RFC 6120 §4.9.3, §8.1: a stanza ${what} ends the stream with ${condition}`,
    async ({ romeo, stage }) => {
      await romeo.online()
      const peer = await friend(stage)
      peer.sends(`<message ${attributes}><body>hail</body></message>`)
      await peer.isDisconnected(condition)
      await romeo.hearsNothingMore()
    },
  )

scene('RFC 6120 §8.3.3.8: an address that cannot be read ends no stream', async ({ romeo, stage }) => {
  await romeo.online()
  const peer = await friend(stage)
  const verona = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
  verona.serves()
  peer.sends(`<message id='a' from='paris@${FAR_DOMAIN}' to='@${stage.domain}'><body>hail</body></message>`)
  await verona.believes()
  await verona.receives(
    `<message type='error' id='a' from='${stage.domain}' to='paris@${FAR_DOMAIN}'><error><jid-malformed xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text></error></message>`,
  )
  // An answer to this one would find nobody.
  peer.sends(`<message id='b' from='@${FAR_DOMAIN}' to='${romeo.bare}'><body>hail</body></message>`)
  peer.sends(`<iq id='c' from='paris@${FAR_DOMAIN}' to='${stage.domain}' type='unheard-of'/>`)
  await verona.receives(
    `<iq type='error' id='c' from='${stage.domain}' to='paris@${FAR_DOMAIN}'><error><bad-request xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text></error></iq>`,
  )
  peer.sends(`<message id='d' from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>hail</body></message>`)
  await romeo.receives(`<message id='d' from='paris@${FAR_DOMAIN}'><body>hail</body></message>`)
  assert.equal(peer.closed, false)
})

// Dialback --------------------------------------------------------------------------------------------------------

scene(
  'XEP-0220 §2.2.1: a key that the domain does not know is invalid; what was proved before stays',
  async ({ romeo, stage }) => {
    await romeo.online()
    const spy = await friend(stage, 'spy.example')
    const verona = new Peer(stage, FAR_DOMAIN)
    verona.serves()
    spy.asksDialback(FAR_DOMAIN, stage.domain, 'forged')
    await verona.takes()
    await verona.vouches('invalid')
    await spy.receives(`<db:result type='invalid' from='${stage.domain}' to='${FAR_DOMAIN}'/>`)
    spy.sends(`<message from='a@spy.example' to='${romeo.bare}'><body>still here</body></message>`)
    await romeo.receives(`<message from='a@spy.example'><body>still here</body></message>`)
    spy.sends(`<message from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>hail</body></message>`)
    await spy.isDisconnected('invalid-from')
    await romeo.hearsNothingMore()
  },
  anyone,
)

scene(
  'XEP-0220 §2.1.2: a key is verified on the stream that is there, and on a new one when that is dead',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = await reached(romeo, stage)
    const caller = new Peer(stage, FAR_DOMAIN)
    await caller.opens()
    caller.asksDialback()
    await verona.vouches()
    await caller.receives(valid(FAR_DOMAIN, stage.domain))
    assert.equal(stage.network.calls.length, 1)
    // It has started again and knows nothing of the old stream.
    const restarted = new Peer(stage, FAR_DOMAIN)
    restarted.serves()
    const again = new Peer(stage, FAR_DOMAIN)
    await again.opens()
    again.asksDialback()
    await verona.next('a question that nobody answers')
    await stage.passes(5000)
    await restarted.takes()
    await restarted.vouches()
    await again.receives(valid(FAR_DOMAIN, stage.domain))
  },
  anyone,
)

scene(
  'XEP-0220 §2.6: one stream carries several senders to several of our domains, each proved for itself',
  async ({ romeo, other, stage }) => {
    await romeo.online()
    await other.nurse.online()
    const peer = new Peer(stage, FAR_DOMAIN)
    const senders = [FAR_DOMAIN, `rooms.${FAR_DOMAIN}`]
    await peer.opens()
    for (const sender of senders) {
      for (const target of [stage.domain, OTHER_DOMAIN]) {
        const authority = new Peer(stage, sender)
        authority.serves()
        peer.asksDialback(sender, target)
        await authority.takes()
        await authority.vouches()
        await peer.receives(valid(sender, target))
      }
    }
    for (const sender of senders) {
      peer.sends(`<message from='a@${sender}' to='${romeo.bare}'><body>hail</body></message>`)
      await romeo.receives(`<message from='a@${sender}'><body>hail</body></message>`)
      peer.sends(`<message from='a@${sender}' to='${other.nurse.bare}'><body>hail</body></message>`)
      await other.nurse.receives(`<message from='a@${sender}'><body>hail</body></message>`)
    }
    assert.equal(stage.metrics.valueOf('s2s_links', 'in', 'dialback'), 4)
  },
  anyone,
)

scene(
  'XEP-0220 §2.2, §2.5: what cannot be proved is told by an error, and the stream goes on',
  async ({ stage }) => {
    const peer = await friend(stage)
    const target = stage.domain
    peer.asksDialback(FAR_DOMAIN, 'nowhere.example')
    await peer.receives(refused(FAR_DOMAIN, 'nowhere.example', 'item-not-found'))
    peer.asksDialback(OTHER_DOMAIN, target)
    await peer.receives(because(OTHER_DOMAIN, target, 'not-acceptable', '{any}'))
    peer.asksDialback('ghost.example', target)
    await peer.receives(because('ghost.example', target, 'remote-server-not-found', '{any}'))
    await stage.server.blocks.add('spam.example', { reason: '', expires: undefined })
    peer.asksDialback('spam.example', target)
    await peer.receives(because('spam.example', target, 'policy-violation', '{any}'))
    new Peer(stage, 'mantua.example').serves()
    stage.network.mute.add('mantua.example')
    peer.asksDialback('mantua.example', target)
    await stage.passes(31_000)
    await peer.receives(because('mantua.example', target, 'remote-server-timeout', '{any}'))
    peer.asksDialback()
    await peer.receives(valid(FAR_DOMAIN, target))
  },
  anyone,
)

scene(
  'XEP-0220 §3.1: answers that nobody asked for end the stream they come on',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verify = `<db:verify from='${FAR_DOMAIN}' to='${stage.domain}' id='x' type='valid'/>`
    const result = `<db:result from='${FAR_DOMAIN}' to='${stage.domain}' type='valid'/>`
    for (const answer of [verify, result]) {
      const peer = new Peer(stage, FAR_DOMAIN)
      await peer.opens()
      peer.raw(answer)
      await peer.isDisconnected('policy-violation')
    }
    const verona = new Peer(stage, FAR_DOMAIN)
    verona.serves()
    romeo.sends(`<message to='juliet@${FAR_DOMAIN}'><body>secret</body></message>`)
    await verona.takes()
    await verona.receives(`<db:result from='{any}' to='{any}'>{any}</db:result>`)
    verona.raw(`<db:result from='mantua.example' to='${stage.domain}' type='valid'/>`)
    await verona.isDisconnected('policy-violation')
    assert.doesNotMatch(verona.heard, /secret/)
  },
  anyone,
)

scene(
  'XEP-0220 §2.3: whom we call may answer us, but brings no stanzas',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = await reached(romeo, stage)
    verona.sends(`<message from='juliet@${FAR_DOMAIN}' to='${romeo.bare}'><body>ho</body></message>`)
    await verona.isDisconnected('not-authorized')
    await romeo.hearsNothingMore()
  },
  anyone,
)

/** A server that we called and that may answer on the same stream. */
async function called(romeo: Cast['romeo'], stage: Cast['stage']): Promise<Peer> {
  const verona = serving(romeo, stage)
  const { attrs } = await verona.takes(
    `<stream:features><bidi xmlns='urn:xmpp:features:bidi'/></stream:features>`,
  )
  await verona.receives(`<bidi xmlns='urn:xmpp:bidi'/>`)
  await verona.receives(`<db:result from='${attrs['from']}' to='${FAR_DOMAIN}'>{any}</db:result>`)
  return verona
}

scene(
  'XEP-0288 §2.2: on a stream of ours the peer may speak for the domain that we called, to the one that called',
  async ({ romeo, stage }) => {
    await romeo.online()
    for (const [from, to, condition] of [
      ['mantua.example', stage.domain, 'invalid-from'],
      [`sub.${FAR_DOMAIN}`, stage.domain, 'invalid-from'],
      [FAR_DOMAIN, OTHER_DOMAIN, 'invalid-from'],
      [FAR_DOMAIN, 'nowhere.example', 'host-unknown'],
    ]) {
      const verona = await called(romeo, stage)
      verona.raw(`<db:result from='${FAR_DOMAIN}' to='${stage.domain}' type='valid'/>`)
      await verona.next('the message')
      verona.sends(`<message from='a@${FAR_DOMAIN}' to='${romeo.bare}'><body>ho</body></message>`)
      await romeo.receives(`<message from='a@${FAR_DOMAIN}'><body>ho</body></message>`)
      verona.sends(`<message from='a@${from}' to='romeo@${to}'><body>ho</body></message>`)
      await verona.isDisconnected(condition)
      await romeo.hearsNothingMore()
      await stage.passes(3000)
    }
    const early = await called(romeo, stage)
    early.sends(`<message from='a@${FAR_DOMAIN}' to='${romeo.bare}'><body>ho</body></message>`)
    await early.isDisconnected('not-authorized')
    await romeo.hearsNothingMore()
  },
  anyone,
)

scene(
  'XEP-0288 §2.2: a peer that lets us answer on its stream is answered there, for the pairs it has proved',
  async ({ romeo, other, stage }) => {
    await romeo.online()
    await other.nurse.online()
    const caller = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
    assert.ok((await caller.opens()).child('bidi', 'urn:xmpp:features:bidi'))
    caller.raw(`<bidi xmlns='urn:xmpp:bidi'/>`)
    caller.asksDialback()
    await caller.receives(valid(FAR_DOMAIN, stage.domain))
    // It might want to count stanzas first (XEP-0198).
    await stage.passes(1000)
    romeo.sends(`<message to='paris@${FAR_DOMAIN}'><body>hail</body></message>`)
    await caller.receives(
      `<message to='paris@${FAR_DOMAIN}' from='${romeo.full}'><body>hail</body></message>`,
    )
    assert.deepEqual(stage.network.calls, [])
    const verona = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
    verona.serves()
    other.nurse.sends(`<message to='paris@${FAR_DOMAIN}'><body>hail</body></message>`)
    await verona.believes()
    await verona.receives(
      `<message to='paris@${FAR_DOMAIN}' from='${other.nurse.full}'><body>hail</body></message>`,
    )
    await caller.leaves()
    // XEP-0220 §2.6.1: from now on beside the other domain's.
    romeo.sends(`<message to='paris@${FAR_DOMAIN}'><body>hail</body></message>`)
    await verona.receives(`<db:result from='${stage.domain}' to='${FAR_DOMAIN}'>{any}</db:result>`)
    verona.raw(valid(stage.domain, FAR_DOMAIN))
    await verona.receives(
      `<message to='paris@${FAR_DOMAIN}' from='${romeo.full}'><body>hail</body></message>`,
    )
  },
  anyone,
)

scene(
  'XEP-0288 §2.2, RFC 6120 §6.4.6: what waits for a peer goes behind the word that it is believed, and behind our new header',
  async ({ romeo, other, stage }) => {
    await romeo.online()
    await other.nurse.online()
    new Peer(stage, FAR_DOMAIN).serves()
    stage.network.down.add(FAR_DOMAIN)
    const message = (body: string) => `<message to='paris@${FAR_DOMAIN}'><body>${body}</body></message>`
    for (const how of ['dialback', 'external']) {
      romeo.sends(message(how))
      other.nurse.sends(message(how))
      await stage.passes(2000)
      const caller = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
      await caller.opens()
      caller.raw(`<bidi xmlns='urn:xmpp:bidi'/>`)
      if (how === 'dialback') {
        caller.asksDialback()
        await caller.receives(valid(FAR_DOMAIN, stage.domain))
      } else {
        caller.raw(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>=</auth>`)
        await caller.receives(`<success xmlns='${SASL}'/>`)
        await stage.passes(2000)
        assert.equal(caller.waiting, 0)
        caller.startsStream()
        await caller.next('features')
      }
      await stage.passes(2000)
      await caller.receives(
        `<message to='paris@${FAR_DOMAIN}' from='${romeo.full}'><body>${how}</body></message>`,
      )
      // A second pair, when all else is settled.
      caller.asksDialback(FAR_DOMAIN, OTHER_DOMAIN)
      await caller.receives(valid(FAR_DOMAIN, OTHER_DOMAIN))
      await caller.receives(
        `<message to='paris@${FAR_DOMAIN}' from='${other.nurse.full}'><body>${how}</body></message>`,
      )
      await caller.leaves()
    }
  },
  anyone,
)

scene(
  'XEP-0288 §2.2: both directions are asked for under TLS and before the proof, and no key is verified the way it came',
  async ({ stage }) => {
    const plain = new Peer(stage, FAR_DOMAIN)
    plain.dials()
    plain.startsStream()
    await plain.next()
    plain.raw(`<bidi xmlns='urn:xmpp:bidi'/>`)
    await plain.isDisconnected('unsupported-stanza-type')
    const late = await friend(stage)
    late.raw(`<bidi xmlns='urn:xmpp:bidi'/>`)
    await late.isDisconnected('unsupported-stanza-type')
    const spy = new Peer(stage, 'spy.example', ['spy.example'])
    const authority = new Peer(stage, 'spy.example')
    await spy.opens()
    spy.raw(`<bidi xmlns='urn:xmpp:bidi'/>`)
    spy.asksDialback()
    await spy.receives(valid('spy.example', stage.domain))
    authority.serves()
    const second = new Peer(stage, 'spy.example')
    await second.opens()
    second.asksDialback()
    await authority.takes()
    await authority.vouches()
    await second.receives(valid('spy.example', stage.domain))
    assert.equal(spy.waiting, 0)
  },
  anyone,
)

scene(
  'XEP-0185, XEP-0220 §2.2.2: our keys are for one stream between two domains, and we know them again',
  async ({ romeo, stage }) => {
    await romeo.online()
    const verona = serving(romeo, stage)
    await verona.takes(undefined, 'D60000229F')
    const request = await verona.receives(
      `<db:result from='${stage.domain}' to='${FAR_DOMAIN}'>{any}</db:result>`,
    )
    const asks = new Peer(stage, FAR_DOMAIN)
    await asks.opens()
    const question = async (key: string, id: string, from: string, to: string) => {
      asks.raw(`<db:verify from='${from}' to='${to}' id='${id}'>${key}</db:verify>`)
      const answer = await asks.receives(`<db:verify from='${to}' to='${from}' id='${id}' type='{any}'/>`)
      return answer.attrs['type'] as string
    }
    const key = request.text
    assert.match(key, /^[0-9a-f]{64}$/)
    assert.equal(await question(key, 'D60000229F', FAR_DOMAIN, stage.domain), 'valid')
    assert.equal(await question(key, 'D60000229E', FAR_DOMAIN, stage.domain), 'invalid')
    assert.equal(await question(key, 'D60000229F', 'mantua.example', stage.domain), 'invalid')
    assert.equal(await question(key, 'D60000229F', FAR_DOMAIN, OTHER_DOMAIN), 'invalid')
    assert.equal(await question(`${key.slice(0, -1)}x`, 'D60000229F', FAR_DOMAIN, stage.domain), 'invalid')
    assert.equal(await question('', 'D60000229F', FAR_DOMAIN, stage.domain), 'invalid')
    asks.raw(`<db:verify from='${FAR_DOMAIN}' to='nowhere.example' id='x'>${key}</db:verify>`)
    await asks.receives(
      `<db:verify type='error' id='x' from='nowhere.example' to='${FAR_DOMAIN}'><error><item-not-found xmlns='${STANZAS}'/></error></db:verify>`,
    )
  },
  anyone,
)

scene(
  'XEP-0344 §2.4: a domain that the certificate is for needs no call back, others on the stream do',
  async ({ stage }) => {
    const peer = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN, `rooms.${FAR_DOMAIN}`])
    await peer.opens()
    for (const sender of [FAR_DOMAIN, `rooms.${FAR_DOMAIN}`]) {
      peer.asksDialback(sender)
      await peer.receives(valid(sender, stage.domain))
    }
    assert.deepEqual(stage.network.calls, [])
    peer.asksDialback('ghost.example')
    await peer.receives(because('ghost.example', stage.domain, 'remote-server-not-found', '{any}'))
    assert.deepEqual(stage.network.calls, [`${stage.domain} > ghost.example`])
  },
)

// Limits ----------------------------------------------------------------------------------------------------------

scene(
  'limits.s2s_domains: so many domains on one stream, and no more',
  async ({ stage }) => {
    const names = Array.from({ length: 6 }, (_, index) => `d${index}.example`)
    const peer = new Peer(stage, FAR_DOMAIN, names)
    await peer.opens()
    for (const name of names.slice(0, 5)) {
      peer.asksDialback(name)
      await peer.receives(valid(name, stage.domain))
    }
    peer.asksDialback(names[5])
    await peer.receives(because(names[5]!, stage.domain, 'resource-constraint', '{any}'))
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_domains'), 1)
  },
  { set: ['limits.s2s_domains=5'] },
)

scene(
  'limits §2: 300 invented domains on one stream delay no honest login',
  async ({ romeo, stage }) => {
    await romeo.online()
    const { network } = stage
    const flood = new Peer(stage, 'flood.example')
    await flood.opens()
    for (let i = 0; i < 300; i++) {
      const domain = `d${i}.example`
      network.addRaw(domain, [], () => {})
      network.mute.add(domain)
      flood.asksDialback(domain)
    }
    await stage.settled()
    // A hundred wait for answers that do not come, ten of them at a time; a hundred were refused, and then it was over.
    assert.equal(network.calls.length, 10)
    assert.equal(flood.waiting, 102)
    assert.ok(flood.closed)
    assert.ok((stage.metrics.valueOf('limit_hits_total', 's2s_dialbacks') ?? 0) > 0)
    const verona = new Peer(stage, FAR_DOMAIN)
    verona.serves()
    const honest = new Peer(stage, FAR_DOMAIN)
    const began = Date.now()
    await honest.opens()
    honest.asksDialback()
    await verona.takes()
    await verona.vouches()
    await honest.receives(valid(FAR_DOMAIN, stage.domain))
    honest.sends(`<message from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>hail</body></message>`)
    await romeo.receives(`<message from='paris@${FAR_DOMAIN}'><body>hail</body></message>`)
    assert.ok(Date.now() - began < 200, `${Date.now() - began} ms`)
  },
  { set: ['s2s.policy=dialback-ok', 'limits.preauth_elements=1000'] },
)

scene(
  'limits.s2s_domains: a stream that has asked for so many domains that are not its own is ended',
  async ({ stage }) => {
    const spy = await friend(stage, 'spy.example')
    for (let i = 0; i < 6; i++) {
      spy.asksDialback(`ghost${i}.example`)
      await spy.receives(because(`ghost${i}.example`, stage.domain, 'remote-server-not-found', '{any}'))
      // What was proved may be asked again without end.
      spy.asksDialback('spy.example')
      if (i < 5) await spy.receives(valid('spy.example', stage.domain))
    }
    await spy.isDisconnected('policy-violation')
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_domains'), 1)
  },
  { set: ['s2s.policy=dialback-ok', 'limits.s2s_domains=5'] },
)

scene('limits §1: before a domain is proved, elements are few and small', async ({ stage }) => {
  const many = new Peer(stage, FAR_DOMAIN)
  await many.opens()
  for (let i = 0; i < 65; i++)
    many.raw(`<db:verify from='a.example' to='${stage.domain}' id='x'>k</db:verify>`)
  await many.ignoresSoFar()
  assert.ok(many.closed)
  assert.equal(stage.metrics.valueOf('limit_hits_total', 'preauth_elements'), 1)
  const large = new Peer(stage, FAR_DOMAIN)
  await large.opens()
  large.asksDialback(FAR_DOMAIN, stage.domain, 'k'.repeat(10_000))
  await large.isDisconnected('policy-violation')
  const slow = new Peer(stage, FAR_DOMAIN)
  await slow.opens()
  await stage.passes(30_000)
  await slow.isDisconnected('connection-timeout')
})

scene(
  'limits.s2s_stanza_size: a larger stanza is refused, and one beyond all measure ends the stream',
  async ({ romeo, stage }) => {
    await romeo.online()
    const peer = await friend(stage)
    const verona = new Peer(stage, FAR_DOMAIN, [FAR_DOMAIN])
    verona.serves()
    const message = (id: string, bytes: number) =>
      `<message id='${id}' from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>${'x'.repeat(bytes)}</body></message>`
    peer.sends(message('a', 19_000))
    assert.equal((await romeo.next()).attrs['id'], 'a')
    peer.sends(message('b', 21_000))
    await verona.believes()
    await verona.receives(
      `<message type='error' id='b' from='${romeo.bare}' to='paris@${FAR_DOMAIN}'><error><policy-violation xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text><stanza-too-big xmlns='urn:xmpp:errors'/></error></message>`,
    )
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_stanza_size'), 1)
    peer.sends(message('c', 50_000))
    await peer.isDisconnected('policy-violation')
    await romeo.hearsNothingMore()
  },
  { set: ['limits.s2s_stanza_size=20000B'] },
)

scene(
  'limits.s2s_rate: a server that sends too fast is read more slowly, and loses nothing',
  async ({ romeo, stage }) => {
    await romeo.online()
    const peer = await friend(stage)
    const body = 'x'.repeat(10_000)
    for (let i = 0; i < 100; i++)
      peer
        .floods()
        .write(
          `<message id='${i}' from='paris@${FAR_DOMAIN}' to='${romeo.bare}'><body>${body}</body></message>`,
        )
    await stage.settled()
    const early = romeo.waiting
    assert.ok(early >= 50 && early < 100, `${early}`)
    assert.equal(stage.metrics.valueOf('limit_hits_total', 's2s_rate'), 1)
    await stage.passes(5000)
    for (let i = 0; i < 100; i++) assert.equal((await romeo.next()).attrs['id'], `${i}`)
  },
  { set: ['limits.s2s_burst=512KiB', 'limits.s2s_rate=100KB/s'] },
)

scene(
  'limits.s2s_streams: no more streams than that, in both directions together',
  async ({ stage }) => {
    const peers = Array.from({ length: 3 }, () => new Peer(stage, FAR_DOMAIN))
    await peers[0]!.opens()
    await peers[1]!.opens()
    peers[2]!.dials()
    peers[2]!.startsStream()
    await peers[2]!.isDisconnected('resource-constraint')
    await peers[0]!.leaves()
    await stage.settled()
    await peers[2]!.opens()
  },
  { set: ['limits.s2s_streams=2'] },
)

let memoryUse = 0
scene(
  'limits.memory_guard: a server that is out of memory takes no new streams of servers, and keeps those there are',
  async ({ romeo, stage }) => {
    memoryUse = 0
    await romeo.online()
    const there = await friend(stage)
    memoryUse = 0.9
    const peer = new Peer(stage, 'mantua.example')
    peer.dials()
    await peer.isDisconnected('resource-constraint')
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'memory_guard'), 1)
    there.sends(`<message from='a@${FAR_DOMAIN}' to='${romeo.bare}'><body>still here</body></message>`)
    await romeo.receives(`<message from='a@${FAR_DOMAIN}'><body>still here</body></message>`)
    memoryUse = 0
    await peer.opens()
  },
  { memoryUse: () => memoryUse },
)
