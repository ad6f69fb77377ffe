/** RFC 6120 §8 and §10: addresses, errors and what travels unchanged. */
import assert from 'node:assert/strict'
import { scene } from '../support/stage.js'

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'

scene('RFC 6120 §10.3.1: a message without to is for the own account', async ({ romeo, romeo$phone }) => {
  await romeo.online()
  await romeo$phone.online()
  for (const device of [romeo, romeo$phone]) await device.ignoresSoFar()
  romeo.sends(`<message type='chat'><body>note to self</body></message>`)
  for (const device of [romeo, romeo$phone]) {
    await device.receives(
      `<message to='${romeo.bare}' from='${romeo.full}'><body>note to self</body></message>`,
    )
  }
})

scene(
  'RFC 6120 §10.3.3: a request without to is answered by the server for the account',
  async ({ romeo }) => {
    await romeo.online()
    const reply = await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`)
    assert.equal(reply.attrs['type'], 'result')
    assert.equal(reply.attrs['from'] ?? romeo.bare, romeo.bare)
    assert.equal(reply.attrs['to'], romeo.full)
  },
)

scene(
  'RFC 6121 §8.5.2.1.3: the own bare address is the account, as if no to were there',
  async ({ romeo }) => {
    await romeo.online()
    for (const to of [romeo.bare, undefined]) {
      const reply = await romeo.gets(`<ping xmlns='urn:xmpp:ping'/>`, to)
      assert.equal(reply.attrs['type'], 'result')
      assert.equal(reply.attrs['from'], romeo.bare)
      await romeo.isRefused('service-unavailable', 'get', `<unknown xmlns='x'/>`, to)
    }
  },
)

scene('RFC 6120 §8.1.2.1: from is stamped; the own bare address is accepted', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  for (const from of [
    '',
    `from='${romeo.bare}'`,
    `from='${romeo.full}'`,
    `from='ROMEO@${romeo.domain}/${romeo.resource}'`,
  ]) {
    romeo.sends(`<message ${from} to='${juliet.bare}' type='chat'><body>me</body></message>`)
    await juliet.receives(`<message from='${romeo.full}' type='chat'><body>me</body></message>`)
  }
})

for (const from of ['juliet@capulet.example', 'romeo@capulet.example/other', 'capulet.example', '@@']) {
  scene(`RFC 6120 §8.1.2.1: ${from} as from of romeo ends in invalid-from`, async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(`<message from='${from}' to='${juliet.bare}' type='chat'><body>not me</body></message>`)
    await romeo.isDisconnected('invalid-from')
    await juliet.hearsNothingMore()
  })
}

for (const [clause, iq] of [
  ['§8.1.3: without id', `<iq type='get' to='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>`],
  ['§8.2.3: without child', `<iq type='get' id='x' to='capulet.example'/>`],
  [
    '§8.2.3: with two children',
    `<iq type='set' id='x' to='capulet.example'><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>`,
  ],
  ['§8.2.3: of unknown type', `<iq type='put' id='x' to='capulet.example'><a xmlns='urn:a'/></iq>`],
  ['§8.2.3: without type', `<iq id='x' to='capulet.example'><a xmlns='urn:a'/></iq>`],
] as const) {
  scene(`RFC 6120 ${clause} an iq is bad-request, and the stream goes on`, async ({ romeo }) => {
    await romeo.online()
    romeo.sends(iq)
    await romeo.receives(
      `<iq type='error' from='capulet.example'><error type='modify'><bad-request xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text></error></iq>`,
    )
    await romeo.hearsNothingMore()
  })
}

scene('RFC 6120 §8.4: a request nobody understands gets exactly one error', async ({ romeo, stage }) => {
  await romeo.online()
  await romeo.isRefused('service-unavailable', 'get', `<query xmlns='urn:example'/>`, stage.domain)
  await romeo.isRefused('service-unavailable', 'set', `<query xmlns='urn:example'/>`)
  await romeo.isRefused('service-unavailable', 'set', `<ping xmlns='urn:xmpp:ping'/>`, stage.domain)
  await romeo.hearsNothingMore()
})

scene('RFC 6120 §8.2.3: a stray result or error for the server is dropped', async ({ romeo, stage }) => {
  await romeo.online()
  for (const to of [stage.domain, romeo.bare]) {
    romeo.sends(`<iq type='result' id='stray' to='${to}'/>`)
    romeo.sends(
      `<iq type='error' id='stray' to='${to}'><error type='cancel'><gone xmlns='${STANZAS}'/></error></iq>`,
    )
  }
  await romeo.hearsNothingMore()
})

scene('RFC 6120 §8.3.1: an error is never answered by an error', async ({ romeo, stage }) => {
  await romeo.online()
  for (const to of [`nobody@${stage.domain}`, stage.domain, 'nowhere.example', `nobody@${stage.domain}/x`]) {
    romeo.sends(
      `<message type='error' to='${to}'><error type='cancel'><gone xmlns='${STANZAS}'/></error></message>`,
    )
    romeo.sends(
      `<iq type='error' id='e' to='${to}'><error type='cancel'><gone xmlns='${STANZAS}'/></error></iq>`,
    )
    romeo.sends(`<iq type='result' id='r' to='${to}'/>`)
    romeo.sends(
      `<presence type='error' to='${to}'><error type='cancel'><gone xmlns='${STANZAS}'/></error></presence>`,
    )
  }
  await romeo.hearsNothingMore()
})

scene(
  'RFC 6120 §8.3.3.8: an address that is none is jid-malformed, and the stream goes on',
  async ({ romeo }) => {
    await romeo.online()
    for (const to of ['@', 'a@@b', 'romeo@', `x@y/`, 'a b@capulet.example']) {
      romeo.sends(`<message to='${to}' type='chat' id='bad'><body>?</body></message>`)
      await romeo.receives(
        `<message type='error' id='bad'><error type='modify'><jid-malformed xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>{any}</text></error></message>`,
      )
    }
    await romeo.settled()
  },
)

scene('RFC 7622 §3.2: every spelling of a domain is one domain', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online()
  for (const to of ['JULIET@CAPULET.EXAMPLE', 'juliet@capulet.example.', 'Juliet@Capulet.Example/balcony']) {
    romeo.sends(`<message to='${to}' type='chat'><body>spelt</body></message>`)
    await juliet.receives(`<message type='chat'><body>spelt</body></message>`)
  }
})

scene(
  'RFC 6120 §8.4: what we do not know travels unchanged, prefixes and languages too',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(
      `<message to='${juliet.bare}' type='chat' id='u' xml:lang='it' odd='1'><body xml:lang='de'>a &amp; b &lt;c&gt;</body>` +
        `<p:x xmlns:p='urn:example:p' p:a='1' b='&quot;2&apos;'><p:y/><z xmlns='urn:example:z'>deep<![CDATA[ & <raw>]]></z></p:x></message>`,
    )
    const got = await juliet.next()
    assert.equal(got.attrs['xml:lang'], 'it')
    assert.equal(got.attrs['odd'], '1')
    assert.equal(got.child('body', 'jabber:client')?.attrs['xml:lang'], 'de')
    assert.equal(got.child('body', 'jabber:client')?.text, 'a & b <c>')
    const x = got.child('x', 'urn:example:p')
    assert.equal(x?.attrs['p:a'], '1')
    assert.equal(x?.attrs['b'], `"2'`)
    assert.ok(x?.child('y', 'urn:example:p'))
    assert.equal(x?.child('z', 'urn:example:z')?.text, 'deep & <raw>')
  },
)

scene('RFC 6120 §8.1.5: the language of the stream is that of its stanzas', async ({ romeo, juliet }) => {
  await juliet.online()
  romeo.language = 'it'
  await romeo.online()
  romeo.sends(`<message to='${juliet.bare}' type='chat'><body>ciao</body></message>`)
  const got = await juliet.next()
  assert.equal(got.attrs['xml:lang'], 'it')
  romeo.sends(`<message to='${juliet.bare}' type='chat' xml:lang='fr'><body>salut</body></message>`)
  assert.equal((await juliet.next()).attrs['xml:lang'], 'fr')
})

scene(
  'RFC 6120 §10.1: stanzas of one stream arrive in order, also past those that wait for the store',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    await stage.account('nurse', juliet.domain, 'wherefore')
    for (let i = 0; i < 50; i++) {
      romeo.sends(`<message to='nurse@${stage.domain}' type='chat'><body>kept ${i}</body></message>`)
      romeo.sends(`<message to='${juliet.bare}' type='chat'><body>${i}</body></message>`)
    }
    for (let i = 0; i < 50; i++) await juliet.receives(`<message type='chat'><body>${i}</body></message>`)
  },
)

scene(
  'RFC 6120 §8.4: attributes of other namespaces travel on, at once and from the store',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    const message = `<c:message xmlns:c='jabber:client' xmlns='urn:example:other' xmlns:a='urn:example:a' xmlns:b='urn:example:b' xmlns:unused='urn:x' to='${juliet.bare}' type='chat' id='m' a:one='1' b:two='&quot;2' three='3'><b:child a:four='4'/><c:body>x</c:body></c:message>`
    romeo.sends(message)
    await romeo.settled()
    await juliet.online()
    romeo.sends(message)
    for (let i = 0; i < 2; i++) {
      const received = await juliet.next()
      assert.equal(received.ns, 'jabber:client')
      for (const [prefix, name, value] of [
        ['a', 'one', '1'],
        ['b', 'two', '"2'],
      ] as const) {
        assert.equal(received.attrs[`${prefix}:${name}`], value)
        assert.equal(received.findNS(prefix), `urn:example:${prefix}`)
      }
      assert.equal(received.attrs['three'], '3')
      assert.equal(received.attrs['xmlns:unused'], undefined)
      assert.equal(received.child('child', 'urn:example:b')?.attrs['a:four'], '4')
      assert.equal(received.child('body', 'jabber:client')?.text, 'x')
    }
  },
)
