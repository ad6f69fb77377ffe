/** Stronger keys for accounts that came without them: by upgrade tasks (XEP-0480), or of a password that was told us. */
import type { Client } from './client.js'
import { decodeBase64 } from '../sasl/base64.js'
import type { Hash, SaslCondition, Success } from '../sasl/mechanism.js'
import { hashBytes, keysOf, PasswordsBusy } from '../sasl/password.js'
import type { Account } from '../storage/accounts.js'
import { StorageUnavailable } from '../storage/errors.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** Hashes that keys are made for afterwards; never the weakest, which nobody needs who can do these. */
const upgradable: readonly Hash[] = ['SHA-256', 'SHA-512']
const saltBytes = 16

export type TaskStep =
  | { readonly outcome: 'continue'; readonly element: Element }
  | { readonly outcome: 'done' }
  | { readonly outcome: 'failure'; readonly condition: SaslCondition }

/** The same for everybody, so that it does not tell which accounts there are (XEP-0480 §2.1). */
export function offerUpgrades(): Element[] {
  return upgradable.map((hash) => el('upgrade', NS.saslUpgrade, {}, nameOf(hash)))
}

/** The upgrades that one `<authenticate/>` asks for, one task after the other. */
export class Upgrades {
  #left: Hash[]
  #account: Account | undefined
  #salt: Buffer | undefined

  constructor(authenticate: Element) {
    const asked = new Set(authenticate.childrenOf('upgrade', NS.saslUpgrade).map(({ text }) => text.trim()))
    this.#left = upgradable.filter((hash) => asked.has(nameOf(hash)))
  }

  /**
   * Leaves those that the account needs. Only who knows the password may add keys: else whoever got hold of a token could
   * make a password of their own out of it. Who told us the password needs no task.
   */
  select({ login }: Client, { password }: Success): void {
    const { account } = login
    const isProved = login.mechanism.startsWith('SCRAM-') && password === undefined
    this.#account = account
    this.#left = account && isProved ? this.#left.filter((hash) => !account.keys[hash]) : []
  }

  /** The name of the task that is due. */
  get next(): string | undefined {
    const [hash] = this.#left
    return hash && nameOf(hash)
  }

  /** `<next/>` or `<task-data/>`. */
  async receive(element: Element, client: Client): Promise<TaskStep> {
    const hash = this.#left[0]!
    const iterations = client.parts.passwords.iterations
    if (element.local === 'next') {
      if (this.#salt || element.attrs['task'] !== nameOf(hash)) return refused
      this.#salt = client.parts.random.bytes(saltBytes)
      const salt = el('salt', NS.scramUpgrade, { iterations }, this.#salt.toString('base64'))
      return { outcome: 'continue', element: salt }
    }
    // XEP-0480 §3: the SaltedPassword of RFC 5802.
    const salted = decodeBase64(element.child('hash', NS.scramUpgrade)?.text.trim() ?? '')
    if (!this.#salt || salted?.length !== hashBytes[hash]) return refused
    const keys = { [hash]: keysOf(salted, this.#salt, iterations, hash) }
    const { id, keys: known } = this.#account!
    try {
      // The password was changed meanwhile: what the client knows is not it.
      if (!(await client.host.accounts.addKeys(id, keys, known)))
        return { outcome: 'failure', condition: 'not-authorized' }
    } catch (error) {
      if (!(error instanceof StorageUnavailable)) throw error
      return { outcome: 'failure', condition: 'temporary-auth-failure' }
    }
    client.parts.log.info('c2s.auth.upgraded', { user: client.login.user, hash })
    this.#salt = undefined
    this.#left.shift()
    return { outcome: 'done' }
  }
}

/** Makes the keys that are missing of a password that has proved right. When it cannot be done now, it is not: there will be a next login. */
export async function upgradeBy(password: string, client: Client): Promise<void> {
  const { account } = client.login
  const { parts, host, login } = client
  const missing = upgradable.filter((hash) => !account?.keys[hash])
  if (!account || missing.length === 0) return
  try {
    const keys = await parts.passwords.deriveKeys(password, missing)
    if (!(await host.accounts.addKeys(account.id, keys, account.keys))) return
    for (const hash of missing) parts.log.info('c2s.auth.upgraded', { user: login.user, hash })
  } catch (error) {
    if (!(error instanceof PasswordsBusy || error instanceof StorageUnavailable)) throw error
  }
}

const refused: TaskStep = { outcome: 'failure', condition: 'malformed-request' }

function nameOf(hash: Hash): string {
  return `UPGR-SCRAM-${hash}`
}
