import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DialbackKeys,
  resultAnswer,
  resultRequest,
  verdictOf,
  verifyAnswer,
  verifyRequest,
} from '../../../src/s2s/dialback.js'
import { StanzaError } from '../../../src/stanza/errors.js'
import { parseElement } from '../../../src/xml/parser.js'

const parsed = (text: string) =>
  parseElement(
    `<wrap xmlns='jabber:server' xmlns:db='jabber:server:dialback'>${text}</wrap>`,
  ).childrenOf()[0]!

test('XEP-0185 §3: the key of the example', () => {
  const keys = new DialbackKeys('s3cr3tf0rd14lb4ck')
  const pair = { sender: 'example.org', target: 'xmpp.example.com' }
  const key = '37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643'
  assert.equal(keys.key(pair, 'D60000229F'), key)
  assert.equal(keys.isOurs(pair, 'D60000229F', `\n  ${key} `), true)
  assert.equal(keys.isOurs(pair, 'D60000229F', key.toUpperCase()), false)
  assert.equal(keys.isOurs(pair, 'D60000229F', ''), false)
  assert.equal(new DialbackKeys('another').isOurs(pair, 'D60000229F', key), false)
})

test('XEP-0220 §2.1.1, §2.1.2: the keys of its examples', () => {
  const initiating = new DialbackKeys('s3cr3tf0rd14lb4ck')
  assert.equal(
    initiating.key({ sender: 'capulet.example', target: 'montague.example' }, 'D60000229F'),
    'b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3',
  )
})

test('XEP-0220 §2: each step says who asks whom, whatever the names hold', () => {
  const pair = { sender: 'capulet.example', target: "mont'ague.example" }
  const steps = [
    [resultRequest(pair, 'k<'), pair.sender, pair.target, undefined],
    [verifyRequest(pair, "i'd", 'k<'), pair.target, pair.sender, "i'd"],
    [verifyAnswer(pair, "i'd", 'valid'), pair.sender, pair.target, "i'd"],
    [resultAnswer(pair, 'invalid'), pair.target, pair.sender, undefined],
  ] as const
  for (const [text, from, to, id] of steps) {
    const { attrs } = parsed(text)
    assert.deepEqual([attrs['from'], attrs['to'], attrs['id']], [from, to, id])
  }
  assert.equal(parsed(resultRequest(pair, 'k<')).text, 'k<')
})

test('XEP-0220 §2.5: an answer is valid, invalid, or an error with a condition; a request is none', () => {
  const pair = { sender: 'a.example', target: 'b.example' }
  const read = (text: string) => verdictOf(parsed(text))
  assert.equal(read(resultRequest(pair, 'key')), undefined)
  assert.equal(read(resultAnswer(pair, 'valid')), 'valid')
  assert.equal(read(verifyAnswer(pair, 'x', 'invalid')), 'invalid')
  const error = read(resultAnswer(pair, new StanzaError('item-not-found', 'nobody')))
  assert.ok(error instanceof StanzaError)
  assert.deepEqual([error.condition, error.text], ['item-not-found', 'nobody'])
  for (const strange of [
    `<db:result type='error'/>`,
    `<db:result type='maybe'/>`,
    `<db:result type='error'><error><strange xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>`,
  ]) {
    const unknown = read(strange)
    assert.ok(unknown instanceof StanzaError)
    assert.equal(unknown.condition, 'undefined-condition')
  }
  const unreached = read(
    `<db:result type='error'><error><remote-connection-failed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>`,
  )
  assert.ok(unreached instanceof StanzaError)
  assert.deepEqual(
    [unreached.condition, unreached.text],
    ['remote-server-timeout', 'remote-connection-failed'],
  )
})
