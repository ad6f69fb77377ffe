/** A SASL client for tests, written from RFC 5802 alone and sharing no code with the server's side. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import type { Hash } from '../../../src/sasl/mechanism.js'

export interface ScramClientOptions {
  readonly user: string
  readonly password: string
  readonly hash: Hash
  /** `n`, `y` or `p=type`. */
  readonly flag?: string
  readonly authzid?: string
  readonly bindingData?: Buffer
  readonly nonce?: string
  /** Put between nonce and proof, e.g. `x=1`. */
  readonly extension?: string
}

export class ScramClient {
  readonly gs2: string
  readonly bare: string
  readonly nonce: string
  serverFirst = ''
  #signature = ''

  constructor(readonly options: ScramClientOptions) {
    const { user, flag = 'n', authzid } = options
    this.nonce = options.nonce ?? randomBytes(18).toString('base64')
    this.gs2 = `${flag},${authzid === undefined ? '' : `a=${escape(authzid)}`},`
    this.bare = `n=${escape(user)},r=${this.nonce}`
  }

  first(): Buffer {
    return Buffer.from(this.gs2 + this.bare)
  }

  final(challenge: Buffer): Buffer {
    this.serverFirst = challenge.toString()
    const { password, hash, bindingData = Buffer.alloc(0), extension } = this.options
    const digest = hash.replace('-', '').toLowerCase()
    const r = this.attribute('r')
    const salt = Buffer.from(this.attribute('s'), 'base64')
    const size = createHash(digest).digest().length
    const salted = pbkdf2Sync(password, salt, Number(this.attribute('i')), size, digest)
    const clientKey = createHmac(digest, salted).update('Client Key').digest()
    const storedKey = createHash(digest).update(clientKey).digest()
    const c = Buffer.concat([Buffer.from(this.gs2), bindingData]).toString('base64')
    const withoutProof = `c=${c},r=${r}${extension ? `,${extension}` : ''}`
    const said = `${this.bare},${this.serverFirst},${withoutProof}`
    const proof = createHmac(digest, storedKey).update(said).digest()
    for (let i = 0; i < proof.length; i++) proof[i]! ^= clientKey[i]!
    const serverKey = createHmac(digest, salted).update('Server Key').digest()
    this.#signature = createHmac(digest, serverKey).update(said).digest('base64')
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /** Whether the server has proved that it knows the keys. */
  accepts(additional: Buffer | undefined): boolean {
    return additional?.toString() === `v=${this.#signature}`
  }

  attribute(name: string): string {
    const found = this.serverFirst.split(',').find((one) => one.startsWith(`${name}=`))
    return found?.slice(2) ?? ''
  }
}

export function plainMessage(user: string, password: string, authzid = ''): Buffer {
  return Buffer.from(`${authzid}\0${user}\0${password}`)
}

function escape(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C')
}
