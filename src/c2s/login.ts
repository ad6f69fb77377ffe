/** What SASL and SASL2 have in common: one exchange at a time, who may try how often, and what the failures mean. */
import type { Client } from './client.js'
import { upgradeBy } from './upgrade.js'
import { networkOf } from '../base/network.js'
import type { Attempt } from '../base/rate.js'
import type { Next } from '../host/module.js'
import { decodeBase64 } from '../sasl/base64.js'
import { external } from '../sasl/external.js'
import {
  failure,
  type Credentials,
  type Exchange,
  type Mechanism,
  type SaslCondition,
  type SaslContext,
  type Step,
  type Success,
} from '../sasl/mechanism.js'
import { offerable } from '../sasl/mechanisms.js'
import { JidError, prepareLocal, readJid } from '../stanza/jid.js'
import type { Account } from '../storage/accounts.js'
import { StreamError } from '../stream/errors.js'

/** How a profile of SASL writes what an exchange comes to. */
export interface Profile {
  challenge(data: Buffer, client: Client): void
  failure(condition: SaslCondition, client: Client): void
  success(proof: Success, client: Client): Next | Promise<Next>
}

/** What a profile knows of an exchange besides its mechanism. */
export type Particulars = Partial<Pick<SaslContext, 'from' | 'tokens'>>

/** Failed too often: told as a passing failure, so that the owner is not shut out elsewhere. */
class Throttled extends Error {}

const nothing = Buffer.alloc(0)

/** The login of one connection, over as many exchanges as it takes. */
export class Login {
  /** Mechanisms offered in the features, in both profiles the same. */
  offered: readonly Mechanism[] = []
  /** Name of the mechanism of the last exchange. */
  mechanism = ''
  /** The account whose keys the last exchange looked at, as it was then. */
  account: Account | undefined = undefined
  /** Localpart that the exchange under way claims to be. */
  #claimed: string | undefined = undefined
  #exchange: Exchange | undefined = undefined
  #certified: readonly string[] = []
  /** The exchange as the throttle counts it, from when it names an account. */
  #attempt: Attempt | undefined = undefined
  #failures = 0

  constructor(private readonly client: Client) {}

  /** The mechanisms for this connection, from now on those that it may choose from. */
  offer(): readonly Mechanism[] {
    const { settings, stream } = this.client
    this.#certified = this.#named()
    const others = offerable(settings.mechanisms, stream.transport.tls?.bindings)
    // RFC 6120 §6.3.4: not to who has shown no certificate that will do.
    this.offered = this.#certified.length > 0 ? [external, ...others] : others
    return this.offered
  }

  /** Localparts of this domain that the client's certificate names. */
  #named(): readonly string[] {
    const { parts, stream, host } = this.client
    const { tls } = stream.transport
    if (!parts.identify || !tls || tls.peerChain.length === 0) return []
    return parts.identify(tls.peerChain).flatMap((address) => {
      const jid = readJid(address)
      return jid?.domain === host.domain && jid.local !== '' && jid.isBare ? [jid.local] : []
    })
  }

  /** Begins an exchange; one under way is over (RFC 6120 §6.4.2). Without `initial` data the client is asked for it. */
  begin(
    mechanism: Mechanism | undefined,
    initial: string | undefined,
    particulars: Particulars = {},
  ): Step | Promise<Step> {
    const { parts } = this.client
    this.abandon()
    if (parts.overloaded()) {
      parts.hits.add('memory_guard')
      throw new StreamError('resource-constraint', 'Try again later')
    }
    this.mechanism = mechanism?.name ?? ''
    this.#claimed = undefined
    this.account = undefined
    if (!mechanism) return failure('invalid-mechanism')
    this.#exchange = mechanism.begin(this.#context(particulars))
    // RFC 6120 §6.4.2: none at all is asked for by an empty challenge.
    return initial === undefined ? { outcome: 'continue', data: nothing } : this.respond(initial)
  }

  /** Goes on with the exchange, `data` is in base64. */
  respond(data: string): Step | Promise<Step> {
    if (!this.#exchange) return failure('malformed-request')
    const bytes = decodeBase64(data)
    return bytes ? this.#exchange.step(bytes) : failure('incorrect-encoding')
  }

  /** The exchange under way, if any, ends without a result. */
  abandon(): void {
    this.#exchange = undefined
    this.#attempt?.withdrawn()
    this.#attempt = undefined
  }

  /** Tells the client what a step came to, and keeps the books of it. */
  conclude(step: Step, profile: Profile): Next | Promise<Next> {
    const { client } = this
    if (step.outcome === 'continue') {
      profile.challenge(step.data, client)
      return 'stay'
    }
    if (step.outcome === 'success') {
      this.#succeeded(step)
      return profile.success(step, client)
    }
    this.#failed(step.condition)
    profile.failure(step.condition, client)
    this.requirePatience()
    return 'stay'
  }

  /** The account has proved itself, and does not get in for another `reason`: one try less. */
  refused(reason: string): void {
    this.#failures++
    this.client.parts.log.info('c2s.auth.failed', { ...this.#facts, reason, user: this.user })
  }

  /**
   * RFC 6120 §6.4.5: a few tries, then the stream ends.
   * @throws StreamError
   */
  requirePatience(): void {
    const { settings, parts } = this.client
    if (this.#failures < settings.failuresPerStream) return
    parts.hits.add('login_failures')
    throw new StreamError('policy-violation', 'Too many failed logins')
  }

  /** The bare address of the account, for the log. */
  get user(): string {
    return `${this.account?.local ?? ''}@${this.client.host.domain}`
  }

  #succeeded({ local, password }: Success): void {
    const { parts, host } = this.client
    this.#attempt?.succeeded()
    this.abandon()
    parts.authResults.of(this.mechanism, 'success').add()
    parts.log.debug('c2s.auth.succeeded', { ...this.#facts, user: `${local}@${host.domain}` })
    if (password !== undefined)
      upgradeBy(password, this.client).catch((error: unknown) =>
        parts.log.error('c2s.negotiation.failed', { error }),
      )
  }

  #failed(condition: SaslCondition): void {
    const { parts, host } = this.client
    const claimed = this.#claimed
    // A mechanism that did not get as far as somebody's keys was no guess: the client goes on to its next one.
    if (claimed !== undefined) this.#failures++
    if (condition === 'not-authorized') this.#attempt?.failed()
    this.abandon()
    this.#claimed = undefined
    parts.authResults.of(this.mechanism || 'unknown', condition).add()
    parts.log.info('c2s.auth.failed', {
      ...this.#facts,
      reason: condition,
      ...(claimed === undefined ? {} : { user: `${claimed}@${host.domain}` }),
    })
  }

  get #facts(): { ip: string; host: string; mech: string } {
    const { stream, host } = this.client
    return { ip: stream.transport.remote, host: host.domain, mech: this.mechanism }
  }

  #context(particulars: Particulars): SaslContext {
    const { host, parts, stream } = this.client
    return {
      ...particulars,
      domain: host.domain,
      certified: this.#certified,
      offered: this.offered.map(({ name }) => name),
      bindings: stream.transport.tls?.bindings,
      tls: stream.transport.tls?.protocol,
      random: parts.random,
      secret: parts.secret,
      passwords: parts.passwords,
      prepare(local) {
        try {
          return prepareLocal(local)
        } catch (error) {
          if (error instanceof JidError) return undefined
          throw error
        }
      },
      credentials: (local) => this.#credentials(local),
    }
  }

  async #credentials(local: string): Promise<Credentials | undefined> {
    const { host, parts, stream } = this.client
    const network = networkOf(stream.transport.remote)
    this.#claimed = local
    const attempt = await parts.throttle.attempt(`${network} ${local}@${host.domain}`)
    // Whoever left while it waited gives its place to the next.
    if (stream.open) this.#attempt = attempt
    else attempt?.withdrawn()
    if (!this.#attempt) {
      parts.hits.add('lockout_failures')
      parts.ratelimited.add()
      throw new Throttled()
    }
    const account = await host.account(local)
    this.account = account
    return account && { keys: account.keys, disabled: account.disabled !== undefined }
  }
}
