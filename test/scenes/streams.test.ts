/** RFC 6120 §4 and §11: stream headers, errors, and what a stream refuses. */
import assert from 'node:assert/strict'
import { grants, listens } from '../support/friends.js'
import { scene } from '../support/stage.js'
import { Parser, type StreamHeader } from '../../src/xml/parser.js'

const LIMITS = { bytes: 100_000, depth: 100, elements: 1000, attributes: 100, namespaces: 100 }
const PING = `<iq type='get' id='p' to='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>`

function headerOf(text: string): StreamHeader {
  const parser = new Parser(LIMITS)
  parser.push(Buffer.from(text))
  const parsed = parser.next()
  assert.equal(parsed?.what, 'header')
  return (parsed as { header: StreamHeader }).header
}

scene(
  'RFC 6120 §4.7: our header has a fresh id, from, version and language',
  async ({ romeo, juliet, stage }) => {
    const ids = []
    for (const actor of [romeo, juliet]) {
      await actor.opens()
      const { attrs, contentNs } = headerOf(actor.heard)
      assert.equal(attrs['from'], stage.domain)
      assert.equal(attrs['version'], '1.0')
      assert.ok(attrs['xml:lang'])
      assert.equal(contentNs, 'jabber:client')
      ids.push(attrs['id'])
    }
    assert.ok(ids[0] && ids[1] && ids[0] !== ids[1])
  },
)

scene(
  'RFC 6120 §4.7.2: who says from in its header is called by its bare address in ours, others are not',
  async ({ romeo, stage }) => {
    for (const [from, to] of [
      [`from='Romeo@${stage.domain}/x'`, `romeo@${stage.domain}`],
      [`from='@@'`, undefined],
      ['', undefined],
    ]) {
      await romeo.opens(`to='${stage.domain}' ${from} version='1.0'`)
      assert.equal(headerOf(romeo.heard).attrs['to'], to)
      await romeo.leaves()
    }
  },
)

scene('RFC 6120 §4.7.4: our header is in the language of our words', async ({ romeo, stage }) => {
  await romeo.opens(`to='${stage.domain}' version='1.0' xml:lang='de-CH'`)
  assert.equal(headerOf(romeo.heard).attrs['xml:lang'], 'en')
})

for (const [clause, header, condition] of [
  ['§4.9.3.6: a domain that is not served', `to='verona.example' version='1.0'`, 'host-unknown'],
  ['§4.9.1.3: no domain at all', `version='1.0'`, 'host-unknown'],
  ['§4.9.3.6: no domain but nonsense', `to='@@' version='1.0'`, 'host-unknown'],
  ['§4.7.2: an account', `to='romeo@capulet.example' version='1.0'`, 'host-unknown'],
  ['§4.9.3.25: no version', `to='capulet.example'`, 'unsupported-version'],
  ['§4.9.3.25: version 0.9', `to='capulet.example' version='0.9'`, 'unsupported-version'],
] as const) {
  scene(`RFC 6120 ${clause} ends in ${condition}, after a header of ours`, async ({ romeo }) => {
    romeo.dials()
    romeo.startsStream(header)
    await romeo.isDisconnected(condition)
    const { attrs } = headerOf(romeo.heard)
    assert.equal(attrs['version'], '1.0')
    assert.equal(attrs['from'], romeo.domain)
    assert.ok(attrs['id'])
    assert.match(romeo.heard, /<\/stream:stream>$/)
  })
}

for (const [clause, bytes, condition] of [
  [
    '§4.9.3.10: a wrong stream namespace',
    `<stream:stream xmlns='jabber:client' xmlns:stream='urn:x' to='capulet.example' version='1.0'>`,
    'invalid-namespace',
  ],
  [
    '§4.8.2: a wrong content namespace',
    `<stream:stream xmlns='urn:x' xmlns:stream='http://etherx.jabber.org/streams' to='capulet.example' version='1.0'>`,
    'invalid-namespace',
  ],
  [
    '§4.8.2: the content namespace of servers',
    `<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='capulet.example' version='1.0'>`,
    'invalid-namespace',
  ],
  [
    '§4.9.3.2: another prefix',
    `<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' to='capulet.example' version='1.0'>`,
    'bad-namespace-prefix',
  ],
  [
    '§4.9.3.1: not a stream',
    `<stream:flow xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='capulet.example' version='1.0'>`,
    'bad-format',
  ],
  [
    '§4.9.3.22: another encoding',
    `<?xml version='1.0' encoding='latin1'?><stream:stream`,
    'unsupported-encoding',
  ],
  ['§4.9.3.13: HTTP', `GET / HTTP/1.1\r\n\r\n`, 'not-well-formed'],
  ['§11.1: a DTD', `<!DOCTYPE x [<!ENTITY a 'b'>]>`, 'restricted-xml'],
] as const) {
  scene(`RFC 6120 ${clause} ends in ${condition}`, async ({ romeo }) => {
    romeo.dials()
    romeo.raw(bytes)
    await romeo.isDisconnected(condition)
    const { attrs } = headerOf(romeo.heard)
    assert.equal(attrs['from'], romeo.domain)
    assert.ok(attrs['id'])
    assert.match(romeo.heard, /<\/stream:stream>$/)
  })
}

for (const [what, bytes, condition] of [
  ['§11.1: a comment', '<!-- hush -->', 'restricted-xml'],
  ['§11.1: a processing instruction', '<?php x ?>', 'restricted-xml'],
  ['§11.1: an entity nobody declared', '<message><body>&nbsp;</body></message>', 'restricted-xml'],
  ['§4.9.3.13: a wrong end tag', '<message><body></message></body>', 'not-well-formed'],
  [
    '§11.6: bytes that are no UTF-8',
    Buffer.from('<message><body>\xff</body></message>', 'latin1'),
    'not-well-formed',
  ],
  [
    '§4.8.4: what looks like a stanza in another namespace',
    `<x:message xmlns:x='urn:x' to='juliet@capulet.example'><x:body>hi</x:body></x:message>`,
    'unsupported-stanza-type',
  ],
  ['§4.9.3.24: an element nobody knows', `<knock xmlns='urn:example'/>`, 'unsupported-stanza-type'],
] as const) {
  scene(
    `RFC 6120 ${what} ends the stream with ${condition}, and nothing of it is delivered`,
    async ({ romeo, juliet }) => {
      await juliet.online()
      await romeo.online()
      romeo.raw(bytes)
      await romeo.isDisconnected(condition)
      await juliet.hearsNothingMore()
    },
  )
}

scene(
  'RFC 6120 §6.3: a stanza before authentication ends in not-authorized, what follows is not read',
  async ({ romeo, juliet }) => {
    await juliet.online()
    await romeo.opens()
    romeo.raw(`<message to='${juliet.bare}'><body>let me in</body></message>${PING}`)
    await romeo.isDisconnected('not-authorized')
    await juliet.hearsNothingMore()
  },
)

scene(
  'RFC 6120 §4.6.1: white space between stanzas keeps the stream alive and is nothing else',
  async ({ romeo, stage }) => {
    await romeo.online()
    romeo.raw(' \n\t ')
    const pong = await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, stage.domain)
    assert.equal(pong.attrs['type'], 'result')
    romeo.raw(' ')
    await romeo.hearsNothingMore()
  },
)

scene('RFC 6120 §11.6: a character cut by a read arrives whole', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  const bytes = Buffer.from(
    `<message to='${juliet.bare}' type='chat'><body>Ω wherefore 🌹 art</body></message>`,
  )
  for (const byte of bytes) romeo.raw(Buffer.of(byte))
  await juliet.receives(`<message from='${romeo.full}' type='chat'><body>Ω wherefore 🌹 art</body></message>`)
})

scene('RFC 6120 §4.8.5: prefixes of the content namespace are not passed on', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  romeo.raw(
    `<c:message xmlns:c='jabber:client' to='${juliet.bare}' type='chat'><c:body>foo</c:body></c:message>`,
  )
  await juliet.receives(`<message type='chat'><body>foo</body></message>`)
  romeo.raw(
    `<message to='${juliet.bare}' type='chat'><b:body xmlns:b='jabber:client' xmlns='urn:y'><y/></b:body></message>`,
  )
  await juliet.receives(`<message type='chat'><body><y xmlns='urn:y'/></body></message>`)
  romeo.raw(
    `<message to='${juliet.bare}' type='chat'><x xmlns='urn:x'><b:body xmlns:b='jabber:client'>deep</b:body></x></message>`,
  )
  await juliet.receives(
    `<message type='chat'><x xmlns='urn:x'><body xmlns='jabber:client'>deep</body></x></message>`,
  )
  assert.doesNotMatch(juliet.heard, /<\w+:(body|message)/)
})

scene('RFC 6120 §4.7.5: versions are compared as numbers', async ({ romeo, stage }) => {
  for (const version of ['1.1', '01.00', '2.0']) {
    await romeo.opens(`to='${stage.domain}' version='${version}'`)
    assert.equal(headerOf(romeo.heard).attrs['version'], '1.0')
    await romeo.leaves()
  }
})

scene('RFC 6120 §4.4: the end is answered, what came before is served', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  romeo.raw(`<message to='${juliet.bare}' type='chat'><body>farewell</body></message></stream:stream>`)
  await romeo.isDisconnected()
  assert.match(romeo.heard, /<\/stream:stream>$/)
  await juliet.receives(`<message type='chat' from='${romeo.full}'><body>farewell</body></message>`)
})

scene('RFC 6120 §4.7.2.1: the domain of a stream does not change on the way', async ({ romeo, other }) => {
  await romeo.stage.account('romeo', romeo.domain, 'wherefore')
  await romeo.opens()
  romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${romeo.plain()}</auth>`)
  await romeo.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  romeo.startsStream(`to='${other.romeo.domain}' version='1.0'`)
  await romeo.isDisconnected('host-unknown')
})

scene('Limits: nobody may take longer than the login timeout', async ({ romeo, stage }) => {
  await romeo.opens()
  stage.clock.advance(29_999)
  assert.equal(romeo.closed, false)
  stage.clock.advance(1)
  await romeo.isDisconnected('connection-timeout')
})

scene('RFC 6120 §4.6.1: a silent client is pinged, then given up', async ({ romeo, stage }) => {
  await romeo.online()
  stage.clock.advance(5 * 60_000 + 15_000)
  await romeo.receives(`<iq type='get' from='${stage.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  stage.clock.advance(80_000)
  await romeo.isDisconnected('connection-timeout')
})

scene('RFC 6120 §4.6.1: a client that answers stays', async ({ romeo, stage }) => {
  await romeo.online()
  for (let round = 0; round < 3; round++) {
    stage.clock.advance(5 * 60_000 + 15_000)
    const ping = await romeo.receives(
      `<iq type='get' from='${stage.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`,
    )
    romeo.sends(`<iq type='result' to='${stage.domain}' id='${ping.attrs['id']}'/>`)
    await romeo.settled()
  }
  assert.equal(romeo.closed, false)
})

scene(
  'RFC 6120 §13.12: a stanza just below the limit passes',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    const body = 'x'.repeat(9_800)
    romeo.sends(`<message to='${juliet.bare}' type='chat'><body>${body}</body></message>`)
    await juliet.receives(`<message type='chat'><body>${body}</body></message>`)
  },
  { set: ['limits.c2s_stanza_size=10000B'] },
)

scene(
  'RFC 6120 §13.12: one just above is refused, and the stream goes on',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(
      `<message to='${juliet.bare}' type='chat' id='big'><body>${'x'.repeat(10_000)}</body></message>`,
    )
    await romeo.receives(
      `<message type='error' id='big' from='${juliet.bare}'><error type='modify'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text><stanza-too-big xmlns='urn:xmpp:errors'/></error></message>`,
    )
    await romeo.settled()
    await juliet.hearsNothingMore()
  },
  { set: ['limits.c2s_stanza_size=10000B'] },
)

scene(
  'RFC 6120 §13.12: one without end is policy-violation',
  async ({ romeo }) => {
    await romeo.online()
    romeo.raw(`<message><body>${'x'.repeat(30_000)}`)
    await romeo.isDisconnected('policy-violation')
  },
  { set: ['limits.c2s_stanza_size=10000B'] },
)

scene(
  'Limits: elements before authentication are counted',
  async ({ romeo }) => {
    await romeo.opens()
    for (let i = 0; i < 9; i++) romeo.raw(`<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    for (let i = 0; i < 8; i++)
      await romeo.receives(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>`)
    await romeo.isDisconnected('policy-violation')
  },
  { set: ['limits.preauth_elements=8', 'limits.login_failures=off'] },
)

scene(
  'Limits: a client over its rate is read later, not dropped',
  async ({ romeo, juliet, stage }) => {
    await juliet.online()
    await romeo.online()
    for (let i = 0; i < 30; i++)
      romeo.sends(`<message to='${juliet.bare}' type='headline'><body>${i}</body></message>`)
    await juliet.settled()
    let heard = 0
    for (; heard < 30; heard++) {
      if (juliet.waiting === 0) {
        stage.clock.advance(1000)
        await juliet.settled()
      }
      await juliet.receives(`<message type='headline'><body>${heard}</body></message>`)
    }
    assert.ok(stage.clock.now() > Date.UTC(2030, 0, 1), 'the clock had to move')
  },
  { set: ['limits.c2s_stanza_rate=5/s', 'limits.c2s_stanza_burst=10'] },
)

scene(
  'RFC 6120 §4.9.3.20: at shutdown every stream is told, and contacts hear of it',
  async ({ romeo, stage }) => {
    await romeo.online()
    await grants(romeo, 'paris@else.example')
    const heard = listens(stage)
    await stage.server.stop()
    await romeo.isDisconnected('system-shutdown')
    assert.deepEqual(heard, [`unavailable ${romeo.full} paris@else.example -`])
  },
)

scene('RFC 6120 §4.9.1.1: an error of the peer is not answered by another', async ({ romeo, juliet }) => {
  for (const actor of [romeo, juliet]) {
    await (actor === romeo ? actor.opens() : actor.online())
    actor.raw(
      `<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`,
    )
    await actor.isDisconnected()
    assert.match(actor.heard, /<\/stream:stream>$/)
    assert.doesNotMatch(actor.heard, /stream:error/)
    assert.equal(actor.waiting, 0)
  }
})
