/** FAST (XEP-0484): a client that has proved itself gets a token, and logs in with that in one step. */
import { createHmac } from 'node:crypto'
import type { Client } from './client.js'
import type { Mechanism, Token } from '../sasl/mechanism.js'
import { offerableTokens } from '../sasl/mechanisms.js'
import { formatMoment } from '../stanza/delay.js'
import type { Account } from '../storage/accounts.js'
import { StorageUnavailable } from '../storage/errors.js'
import type { StoredToken } from '../storage/tokens.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** Milliseconds after which a token that is used is replaced by a new one (§3.5), or half of its life if that is less. */
const rotateAfter = 86_400_000
const seedBytes = 32
/** The XML Schema type of the counter is xs:int. */
const highestCount = 0x7fffffff

/** §3.1. Not `tls-0rtt`: early data is never read, since Node's TLS gives servers none. */
export function offerTokens(client: Client): Element | undefined {
  const mechanisms = tokenMechanisms(client)
  if (mechanisms.length === 0) return undefined
  return el('fast', NS.fast, {}, ...mechanisms.map(({ name }) => el('mechanism', undefined, {}, name)))
}

/** What an `<authenticate/>` says of tokens. */
export class TokenLogin {
  readonly #client: Client
  /** `<fast/>`: a token is shown. */
  readonly #shown: Element | undefined
  /** `<request-token/>`. */
  readonly #wanted: Element | undefined
  /** The one that was shown, as it is stored. */
  #stored: StoredToken | undefined

  constructor(authenticate: Element, client: Client) {
    this.#client = client
    this.#shown = authenticate.child('fast', NS.fast)
    this.#wanted = authenticate.child('request-token', NS.fast)
  }

  /** Whether the counter, if any, is one (§3.4: a positive integer). */
  get isWellFormed(): boolean {
    const count = this.#shown?.attrs['count']
    return (
      count === undefined || (/^\d{1,10}$/.test(count) && Number(count) > 0 && Number(count) <= highestCount)
    )
  }

  /** The mechanism of that name, when it takes a token and one is shown. */
  mechanism(name: string | undefined): Mechanism | undefined {
    return this.#shown && tokenMechanisms(this.#client).find((one) => one.name === name)
  }

  /** The tokens of this client for the account whose keys were just looked at (§4.1: known by its id). */
  async tokens(): Promise<readonly Token[]> {
    const { agent, login, host, parts } = this.#client
    const { account } = login
    if (!account || agent?.id === undefined) return []
    const stored = await host.stores.tokens.of(account.id, agent.id)
    return stored.map((one) => ({
      secret: Buffer.from(tokenOf(one, account, agent.id!, parts.secret)),
      mechanism: one.mechanism,
      expired: one.expiresAt <= parts.clock.now(),
      use: () => this.#use(one, account, agent.id!),
    }))
  }

  /**
   * The client is authenticated: gives `<token/>` when it asks for one, or uses one that is old (§3.5), and takes away the
   * one it shows when it wants that (§3.6). Undefined also when that cannot be done now.
   */
  async settle(): Promise<Element | undefined> {
    const { login, agent, host, parts } = this.#client
    const { account } = login
    if (!account || agent?.id === undefined) return undefined
    try {
      const isOver = this.#stored !== undefined && isTrue(this.#shown?.attrs['invalidate'])
      if (isOver) await host.stores.tokens.revoke(account.id, agent.id)
      const mechanism = this.#wantedMechanism(isOver)
      if (mechanism === undefined) return undefined
      return await this.#issue(account, { ...agent, id: agent.id }, mechanism)
    } catch (error) {
      if (!(error instanceof StorageUnavailable)) throw error
      parts.log.warn('c2s.token.failed', { user: login.user, error })
      return undefined
    }
  }

  #wantedMechanism(isOver: boolean): string | undefined {
    const asked = this.#wanted?.attrs['mechanism']
    const offered = tokenMechanisms(this.#client)
    if (this.#wanted) return offered.find(({ name }) => name === asked)?.name
    const stored = this.#stored
    if (!stored || isOver) return undefined
    const { issuedAt, expiresAt } = stored
    const isOld =
      this.#client.parts.clock.now() - issuedAt >= Math.min(rotateAfter, (expiresAt - issuedAt) / 2)
    return isOld ? stored.mechanism : undefined
  }

  /** §3.4: whether the token was there still, and its counter was new. Most uses need not be written. */
  async #use(stored: StoredToken, account: Account, client: string): Promise<boolean> {
    const counted = this.#shown?.attrs['count']
    const count = counted === undefined ? undefined : Number(counted)
    if (count !== undefined && count <= stored.count) return false
    this.#stored = stored
    if (stored.used && count === undefined) return true
    return this.#client.host.stores.tokens.use(account.id, client, stored.seed, count)
  }

  async #issue(
    account: Account,
    agent: { id: string; software: string | undefined; device: string | undefined },
    mechanism: string,
  ): Promise<Element | undefined> {
    const { host, parts, settings } = this.#client
    const issuedAt = parts.clock.now()
    const expiresAt = issuedAt + settings.tokenLifetime
    const token = { seed: parts.random.bytes(seedBytes), mechanism, issuedAt, expiresAt }
    if (!(await host.stores.tokens.issue(account.id, agent, token))) return undefined
    parts.tokens.add()
    return el('token', NS.fast, {
      expiry: formatMoment(expiresAt),
      token: tokenOf(token, account, agent.id, parts.secret),
    })
  }
}

/** Those in use that this connection has the channel binding for, strongest first. */
function tokenMechanisms({ settings, stream }: Client): readonly Mechanism[] {
  if (settings.tokenLifetime === 0) return []
  return offerableTokens(settings.tokenMechanisms, stream.transport.tls?.bindings)
}

/**
 * A token is not kept: it is made of what is stored for it, of a secret of the server, and of the keys of the account. So
 * nobody who reads the tokens' rows can log in, and with a new password all tokens are wrong at once.
 */
function tokenOf(
  { seed, mechanism }: Pick<StoredToken, 'seed' | 'mechanism'>,
  { id, keys }: Account,
  client: string,
  secret: Buffer,
): string {
  const key = createHmac('sha256', secret).update('tokens').digest()
  // Keys that are added later are stronger ones (upgrade.ts): the weakest stays the same.
  const known = keys['SHA-1'] ?? keys['SHA-256'] ?? keys['SHA-512']
  const made = createHmac('sha256', key).update(`${id} ${client} ${mechanism}\0`).update(seed)
  if (known) made.update(known.storedKey)
  return made.digest('base64url')
}

function isTrue(flag: string | undefined): boolean {
  return flag === 'true' || flag === '1'
}
