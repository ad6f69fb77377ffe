/** SCRAM with SHA-1, SHA-256 and SHA-512, each with and without channel binding (RFC 5802, RFC 7677), server side. */
import { isUtf8 } from 'node:buffer'
import { createHmac, hash as digestOf } from 'node:crypto'
import { decodeBase64 } from './base64.js'
import { failure, isOwnBareJid } from './mechanism.js'
import type { Exchange, Hash, Mechanism, SaslContext, ScramKeys, Step } from './mechanism.js'
import { digestName, equal, hashBytes } from './password.js'

export class Scram implements Mechanism {
  readonly name: string

  constructor(
    readonly hash: Hash,
    readonly plus: boolean,
  ) {
    this.name = `SCRAM-${hash}${plus ? '-PLUS' : ''}`
  }

  begin(at: SaslContext): Exchange {
    return new ScramExchange(this, at)
  }
}

// RFC 5802 §7. The attribute `m` is reserved and refused wherever it stands; other extensions are passed over.
const gs2Header = /^(?:([ny])|p=([A-Za-z0-9.-]+)),(?:a=([^,\0]+))?,/
const clientFirstBare = /^n=([^,\0]+),r=([!-+\--~]+)(?:,[A-Za-ln-z]=[^,\0]+)*$/
const clientFinal = /^c=([^,]+),r=([!-+\--~]+)(?:,[A-Za-ln-oq-z]=[^,\0]+)*,p=([^,]+)$/
const maximumBytes = 8192

class ScramExchange implements Exchange {
  #next: 'first' | 'final' | 'none' = 'first'
  #local = ''
  #known = false
  #disabled = false
  #keys: ScramKeys | undefined
  #nonce = ''
  /** What `c=` must decode to: the GS2 header and, with -PLUS, the data of the binding. */
  #bound = Buffer.alloc(0)
  /** client-first-message-bare and server-first-message, as AuthMessage begins. */
  #said = ''

  constructor(
    private readonly scram: Scram,
    private readonly at: SaslContext,
  ) {}

  step(data: Buffer): Step | Promise<Step> {
    const next = this.#next
    this.#next = 'none'
    if (next === 'none' || data.length > maximumBytes || !isUtf8(data)) return failure('malformed-request')
    const text = data.toString('utf8')
    return next === 'first' ? this.#first(text) : this.#final(text)
  }

  async #first(text: string): Promise<Step> {
    const gs2 = gs2Header.exec(text)
    if (!gs2) return failure('malformed-request')
    const [header, flag, type, authzid] = gs2
    const bare = text.slice(header.length)
    const [, name = '', clientNonce = ''] = clientFirstBare.exec(bare) ?? []
    const user = decodeSaslname(name)
    if (!user) return failure('malformed-request')

    const refusal = this.#bind(header, flag, type)
    if (refusal) return refusal
    const local = this.at.prepare(user)
    if (!local) return failure('malformed-request')
    if (authzid !== undefined) {
      const wanted = decodeSaslname(authzid)
      if (!wanted || !isOwnBareJid(wanted, local, this.at)) return failure('invalid-authzid')
    }
    return this.#challenge(local, bare, clientNonce)
  }

  /** RFC 5802 §6: whether the client's channel binding flag fits what was offered; remembers what `c=` must say. */
  #bind(header: string, flag: string | undefined, type: string | undefined): Step | undefined {
    // -PLUS without a binding, or a binding without -PLUS.
    if (this.scram.plus !== (type !== undefined)) return failure('malformed-request')
    this.#bound = Buffer.from(header)
    if (type !== undefined) {
      const data = this.at.bindings?.data(type)
      if (!data) return failure('malformed-request')
      this.#bound = Buffer.concat([this.#bound, data])
    }
    // The client could bind and believes that we cannot: somebody took -PLUS out of our offer.
    if (flag === 'y' && offersPlus(this.at)) return failure('not-authorized')
    return undefined
  }

  async #challenge(local: string, bare: string, clientNonce: string): Promise<Step> {
    let credentials
    try {
      credentials = await this.at.credentials(local)
    } catch {
      return failure('temporary-auth-failure')
    }
    // An account that is unknown, or has no keys of this hash, takes the same way with keys that no proof fits.
    const fake = fakeKeys(local, this.scram.hash, this.at)
    const keys = credentials?.keys[this.scram.hash]
    this.#known = keys !== undefined
    this.#disabled = credentials?.disabled ?? false
    this.#keys = keys ?? fake
    this.#local = local
    this.#nonce = clientNonce + this.at.random.id()
    const { salt, iterations } = this.#keys
    const shown = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`
    const challenge = `${shown},h=${offerHash(this.scram.hash, this.at)}${tlsVersion(this.at)}`
    this.#said = `${bare},${challenge}`
    this.#next = 'final'
    return { outcome: 'continue', data: Buffer.from(challenge) }
  }

  #final(text: string): Step {
    const [, bound = '', nonce, proofText = ''] = clientFinal.exec(text) ?? []
    const binding = decodeBase64(bound)
    const proof = decodeBase64(proofText)
    if (nonce === undefined || !binding || !proof) return failure('malformed-request')
    const keys = this.#keys!
    if (nonce !== this.#nonce || !equal(binding, this.#bound) || proof.length !== keys.storedKey.length)
      return failure('not-authorized')

    const digest = digestName(this.scram.hash)
    const said = `${this.#said},${text.slice(0, text.lastIndexOf(',p='))}`
    const clientKey = createHmac(digest, keys.storedKey).update(said).digest()
    for (let i = 0; i < proof.length; i++) clientKey[i]! ^= proof[i]!
    const fits = equal(digestOf(digest, clientKey, 'buffer'), keys.storedKey)
    const signature = createHmac(digest, keys.serverKey).update(said).digest('base64')
    if (!fits || !this.#known) return failure('not-authorized')
    if (this.#disabled) return failure('account-disabled')
    return { outcome: 'success', local: this.#local, data: Buffer.from(`v=${signature}`) }
  }
}

/** RFC 5802 §5.1: `=2C` and `=3D` stand for comma and equals sign, any other `=` is an error (undefined). */
function decodeSaslname(text: string): string | undefined {
  if (!text.includes('=')) return text
  if (/=(?!2C|3D)/.test(text)) return undefined
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

/** RFC 5802 §9: nobody learns from the challenge whether an account exists; asked twice, it shows the same salt. */
function fakeKeys(local: string, hash: Hash, at: SaslContext): ScramKeys {
  const salt = createHmac('sha256', at.secret).update(`${hash} ${local}@${at.domain}`).digest()
  const nothing = Buffer.alloc(hashBytes[hash])
  return {
    salt: salt.subarray(0, 16),
    iterations: at.passwords.iterations,
    storedKey: nothing,
    serverKey: nothing,
  }
}

/** XEP-0474 §6.1: what we offered, so that the client sees whether somebody on the way has shortened the list. */
function offerHash(hash: Hash, at: SaslContext): string {
  let offer = at.offered.toSorted(byOctet).join('\x1e')
  // XEP-0440 §3: types are advertised together with mechanisms that use them, never alone.
  if (at.bindings && offersPlus(at)) offer += `\x1f${at.bindings.types.toSorted(byOctet).join('\x1e')}`
  return digestOf(digestName(hash), offer, 'base64')
}

/** XEP-0515 §4.1: so that the client sees whether somebody on the way ends its TLS and speaks another version with us. */
function tlsVersion({ tls }: SaslContext): string {
  const version = tls === 'TLSv1.3' ? '0304' : tls === 'TLSv1.2' ? '0303' : undefined
  return version === undefined ? '' : `,t=${version}`
}

function offersPlus(at: SaslContext): boolean {
  return at.offered.some((name) => name.endsWith('-PLUS'))
}

/** The collation i;octet; the names are ASCII. */
function byOctet(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
