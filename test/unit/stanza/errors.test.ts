import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StanzaError, stanzaConditions } from '../../../src/stanza/errors.js'
import { el } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

test('RFC 6120 §8.3.3: every condition has the type that the RFC gives it', () => {
  const types = Object.fromEntries(stanzaConditions.map((name) => [name, new StanzaError(name).type]))
  assert.deepEqual(types, {
    'bad-request': 'modify',
    conflict: 'cancel',
    'feature-not-implemented': 'cancel',
    forbidden: 'auth',
    gone: 'cancel',
    'internal-server-error': 'cancel',
    'item-not-found': 'cancel',
    'jid-malformed': 'modify',
    'not-acceptable': 'modify',
    'not-allowed': 'cancel',
    'not-authorized': 'auth',
    'policy-violation': 'modify',
    'recipient-unavailable': 'wait',
    redirect: 'modify',
    'registration-required': 'auth',
    'remote-server-not-found': 'cancel',
    'remote-server-timeout': 'wait',
    'resource-constraint': 'wait',
    'service-unavailable': 'cancel',
    'subscription-required': 'auth',
    'undefined-condition': 'cancel',
    'unexpected-request': 'wait',
  })
})

test('an error with a condition only', () => {
  assert.equal(
    new StanzaError('item-not-found').toElement().toString(),
    `<error type="cancel"><item-not-found xmlns="${NS.stanzaErrors}"/></error>`,
  )
})

test('RFC 6120 §8.3.2: condition, text and application condition in this order', () => {
  const error = new StanzaError('policy-violation', 'a < b', {
    type: 'wait',
    application: el('stanza-too-big', 'urn:xmpp:errors'),
  })
  assert.equal(
    error.toElement('example.com').toString(),
    '<error by="example.com" type="wait">' +
      `<policy-violation xmlns="${NS.stanzaErrors}"/>` +
      `<text xmlns="${NS.stanzaErrors}" xml:lang="en">a &lt; b</text>` +
      '<stanza-too-big xmlns="urn:xmpp:errors"/></error>',
  )
})

test('RFC 6120 §8.3.3.5, §8.3.3.14: only gone and redirect name another address', () => {
  const uri = 'xmpp:romeo@example.net'
  assert.equal(new StanzaError('gone', undefined, { uri }).toElement().child('gone')?.text, uri)
  assert.equal(new StanzaError('redirect', undefined, { uri }).toElement().child('redirect')?.text, uri)
  assert.equal(new StanzaError('conflict', undefined, { uri }).toElement().child('conflict')?.text, '')
})
