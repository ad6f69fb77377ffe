/** What a SCRAM login costs the server once the keys are stored: `node dist/test/bench/scram.js`. */
import { createHash, createHmac } from 'node:crypto'
import type { Credentials, SaslContext } from '../../src/sasl/mechanism.js'
import { systemRandom } from '../../src/base/random.js'
import { Passwords } from '../../src/sasl/password.js'
import { Scram } from '../../src/sasl/scram.js'

const passwords = new Passwords(systemRandom)
const credentials: Credentials = { keys: await passwords.deriveKeys('pencil'), disabled: false }
const found = Promise.resolve(credentials)
const at: SaslContext = {
  domain: 'example.org',
  offered: ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'],
  bindings: undefined,
  tls: undefined,
  random: { id: () => 'servernonceservernonce', bytes: (n) => Buffer.alloc(n) },
  secret: Buffer.alloc(32),
  passwords,
  prepare: (local) => local,
  credentials: () => found,
}
const logins = 20_000

for (const hash of ['SHA-1', 'SHA-256', 'SHA-512'] as const) {
  const scram = new Scram(hash, false)
  const first = Buffer.from('n,,n=romeo,r=clientnonce')
  const final = await finalFor(scram, first)
  for (const round of ['warm up', 'measured']) {
    const begun = process.cpuUsage()
    for (let i = 0; i < logins; i++) {
      const exchange = scram.begin(at)
      await exchange.step(first)
      const step = await exchange.step(final)
      if (step.outcome !== 'success') throw new Error('the login failed')
    }
    const { user, system } = process.cpuUsage(begun)
    if (round === 'measured')
      console.log(`${scram.name}: ${((user + system) / logins).toFixed(1)} µs a login`)
  }
}

/** The client's last message; it fits every login because the server's nonce is always the same here. */
async function finalFor(scram: Scram, first: Buffer): Promise<Buffer> {
  const step = await scram.begin(at).step(first)
  if (step.outcome !== 'continue') throw new Error('no challenge')
  const digest = scram.hash.replace('-', '').toLowerCase()
  const { pbkdf2Sync } = await import('node:crypto')
  const { salt, iterations, storedKey } = credentials.keys[scram.hash]!
  const salted = pbkdf2Sync('pencil', salt, iterations, storedKey.length, digest)
  const clientKey = createHmac(digest, salted).update('Client Key').digest()
  const stored = createHash(digest).update(clientKey).digest()
  const withoutProof = 'c=biws,r=clientnonceservernonceservernonce'
  const said = `n=romeo,r=clientnonce,${step.data.toString()},${withoutProof}`
  const proof = createHmac(digest, stored).update(said).digest()
  for (let i = 0; i < proof.length; i++) proof[i]! ^= clientKey[i]!
  return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
}
