/** What certifies a peer: authorities, or records of secured DNS where there are any that can be used. */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { HandClock } from '../../../src/base/clock.js'
import { certifyBy } from '../../../src/s2s/certify.js'
import type { Transport } from '../../../src/stream/transport.js'
import type { TlsaRecord } from '../../../src/tls/dane.js'
import { TrustStore } from '../../../src/tls/trust.js'
import { Authority } from '../tls/issuer.js'

const authority = new Authority('trusted')
const other = new Authority('of the zone alone')
const der = (pem: string) => new X509Certificate(pem).raw
const good = [der(authority.issue({ names: ['a.test'] }).certificate), der(authority.certificate)]
const strange = [der(other.issue({ names: ['a.test'] }).certificate), der(other.certificate)]
const misnamed = [der(other.issue({ names: ['b.test'] }).certificate), der(other.certificate)]

const certify = certifyBy(TrustStore.of(der(authority.certificate)), new HandClock(Date.now()))
const verdict = (peerChain: readonly Buffer[], ...tlsa: TlsaRecord[]) =>
  certify({ tls: { peerChain } } as unknown as Transport, 'a.test', tlsa).ok

const record = (usage: number, of: Buffer, more: Partial<TlsaRecord> = {}): TlsaRecord => ({
  usage,
  selector: 0,
  matching: 1,
  data: createHash('sha256').update(of).digest(),
  ...more,
})

test('without records the authorities decide', () => {
  assert.equal(verdict(good), true)
  assert.equal(verdict(strange), false)
})

test('a record of the certificate itself is enough, and nothing else is (RFC 7671 §5.1)', () => {
  assert.equal(verdict(strange, record(3, strange[0]!)), true)
  assert.equal(verdict(misnamed, record(3, misnamed[0]!)), true)
  assert.equal(verdict(good, record(3, strange[0]!)), false)
})

test('a record of an authority trusts it for this server, names and all (RFC 7671 §5.2)', () => {
  assert.equal(verdict(strange, record(2, strange[1]!)), true)
  assert.equal(verdict(misnamed, record(2, misnamed[1]!)), false)
})

test('records of a kind that we do not know are as good as none (RFC 7671 §4.1)', () => {
  for (const unknown of [
    record(0, good[1]!),
    record(1, good[0]!),
    record(7, good[0]!),
    record(3, strange[0]!, { selector: 9 }),
    record(3, strange[0]!, { matching: 9 }),
  ]) {
    assert.equal(verdict(good, unknown), true)
    assert.equal(verdict(strange, unknown), false)
  }
})
