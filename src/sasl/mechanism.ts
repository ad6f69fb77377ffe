/** What a SASL mechanism is: a conversation whose every step takes bytes and says continue, success or failure. */
import type { Random } from '../base/random.js'

/** The conditions of RFC 6120 §6.5, by name as on the wire. */
export type SaslCondition =
  | 'aborted'
  | 'account-disabled'
  | 'credentials-expired'
  | 'encryption-required'
  | 'incorrect-encoding'
  | 'invalid-authzid'
  | 'invalid-mechanism'
  | 'malformed-request'
  | 'mechanism-too-weak'
  | 'not-authorized'
  | 'temporary-auth-failure'

export type Step =
  | { readonly outcome: 'continue'; readonly data: Buffer }
  | Success
  | { readonly outcome: 'failure'; readonly condition: SaslCondition }

export interface Success {
  readonly outcome: 'success'
  /** The prepared localpart of the account that has proved itself; nothing else may name the session. */
  readonly local: string
  readonly data?: Buffer
  /** The token that was shown, by mechanisms that take one. */
  readonly token?: Token
  /** The password, by mechanisms that are told it. */
  readonly password?: string
}

/** One conversation. It never throws or rejects, whatever it is given. */
export interface Exchange {
  /** Takes the decoded initial response first, then each response. After an outcome other than continue it only fails. */
  step(data: Buffer): Step | Promise<Step>
}

export interface Mechanism {
  /** As registered with IANA, e.g. `SCRAM-SHA-256-PLUS`. */
  readonly name: string
  /** True when it needs channel binding, so can only be offered where `SaslContext.bindings` is there. */
  readonly plus: boolean
  begin(at: SaslContext): Exchange
}

export type Hash = 'SHA-1' | 'SHA-256' | 'SHA-512'

/** What the server keeps of a password for one hash (RFC 5802 §3); neither key lets its holder log in. */
export interface ScramKeys {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

export interface Credentials {
  readonly keys: Partial<Record<Hash, ScramKeys>>
  /** A right password is answered with `account-disabled`; a wrong one does not learn it. */
  readonly disabled: boolean
}

/** A token that a client was given instead of its password (XEP-0484). */
export interface Token {
  /** What both sides know. */
  readonly secret: Buffer
  /** The one mechanism that it is good for. */
  readonly mechanism: string
  readonly expired: boolean
  /** To be called when it has proved right: false when it may not be used like this. Rejects when the store cannot tell. */
  use(): Promise<boolean>
}

/** What the TLS connection under this stream can vouch for (RFC 5056). */
export interface ChannelBindings {
  /** The types to advertise (XEP-0440), never empty. */
  readonly types: readonly string[]
  /** The binding data of one of `types`; undefined for any other. */
  data(type: string): Buffer | undefined
}

/** What a conversation needs to know of its stream and may ask of the server. */
export interface SaslContext {
  /** The domain of the stream, prepared. */
  readonly domain: string
  /** The names of the mechanisms as advertised in the profile (SASL or SASL2) that this exchange uses. */
  readonly offered: readonly string[]
  /** What the stream's TLS can vouch for. Its types are advertised (XEP-0440) just when a -PLUS mechanism is offered. */
  readonly bindings: ChannelBindings | undefined
  /** Version of the stream's TLS, as `TLSv1.3`; undefined without. */
  readonly tls: string | undefined
  /** The bare JID that the stream says it is from, when the profile binds it to the authorization identity (XEP-0388 §2.3). */
  readonly from?: string | undefined
  /** Localparts, prepared, of the accounts of `domain` that the client's certificate is of (XEP-0178 §2). */
  readonly certified?: readonly string[]
  readonly random: Random
  /** At least 32 bytes, the same after every restart: makes the salts shown for accounts that do not exist. */
  readonly secret: Buffer
  readonly passwords: PasswordCheck
  /** The localpart prepared by UsernameCaseMapped (RFC 8265 §3.3), undefined when it is forbidden. */
  prepare(local: string): string | undefined
  /** The keys of an account, undefined when there is none. Rejects when the store cannot tell. */
  credentials(local: string): Promise<Credentials | undefined>
  /** The tokens of this client for an account, asked for after `credentials`. Rejects when the store cannot tell. */
  tokens?(local: string): Promise<readonly Token[]>
}

/** Compares a password with stored keys; see `Passwords`. */
export interface PasswordCheck {
  readonly iterations: number
  /** Takes the same time whatever the answer is. Rejects when too many are waiting. */
  verify(password: string, keys: Partial<Record<Hash, ScramKeys>>): Promise<boolean>
}

export function failure(condition: SaslCondition): Step {
  return { outcome: 'failure', condition }
}

/**
 * Whether a client that proved to be `local` may act as `authzid`: only as itself.
 * RFC 6120 §6.3.8: an authorization identity, if given, is a bare JID.
 */
export function isOwnBareJid(authzid: string, local: string, at: SaslContext): boolean {
  const cut = authzid.indexOf('@')
  return (
    cut > 0 &&
    authzid.slice(cut + 1).toLowerCase() === at.domain &&
    at.prepare(authzid.slice(0, cut)) === local &&
    (at.from === undefined || at.from === `${local}@${at.domain}`)
  )
}
