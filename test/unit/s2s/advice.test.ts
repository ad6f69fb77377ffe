import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adviceOn, type Case } from '../../../src/s2s/advice.js'

const advice = (trouble: Case['trouble'], more: Partial<Case> = {}) =>
  adviceOn({ trouble, remote: 'far.example', overridden: false, ...more })

test('what the configuration says wrong is put right there, what DNS says by its admin', () => {
  for (const [trouble, condition] of [
    ['refused', undefined],
    ['unresolved', undefined],
    ['handshake', undefined],
    ['ended', 'invalid-namespace'],
  ] as const) {
    assert.match(advice(trouble, { condition, overridden: true }), /\[s2s\.domain\."far\.example"\]/, trouble)
    assert.match(advice(trouble, { condition }), /^tell the admin of far\.example: .*SRV record/, trouble)
  }
})

test('the peer says why it does not take our dialback', () => {
  for (const [condition, fix] of [
    ['not-authorized', /a certificate .* of a public authority/],
    ['policy-violation', /a certificate .* of a public authority/],
    ['remote-server-timeout', /it cannot reach this server: parley dns check/],
    ['item-not-found', /tell the admin of far\.example: .* does not serve it/],
    ['resource-constraint', /tell the admin of far\.example: its log says why/],
    [undefined, /tell the admin of far\.example: its log says why/],
  ] as const)
    assert.match(advice('not taken', { condition }), fix, condition)
})

test('the peer says why it ends the stream', () => {
  for (const [condition, fix] of [
    ['host-unknown', /tell the admin of far\.example: .* does not serve it/],
    ['policy-violation', /ask the admin of far\.example/],
    ['remote-connection-failed', /it cannot reach this server/],
    ['system-shutdown', /try again later; when it stays so, tell the admin of far\.example/],
    [undefined, /try again later/],
  ] as const)
    assert.match(advice('ended', { condition }), fix, condition)
})
