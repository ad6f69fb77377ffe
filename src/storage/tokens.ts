/** The contract of the token store: which tokens the clients of an account were given (XEP-0484), not the tokens themselves. */

export interface StoredToken {
  /** Random; one of the things that the token is made of. */
  readonly seed: Buffer
  /** The one mechanism that it is good for. */
  readonly mechanism: string
  /** Milliseconds since 1970, as is the next. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** The client has logged in with it: it takes the place of those before. */
  readonly used: boolean
  /** The highest counter that came with it, 0 when none did. */
  readonly count: number
}

export type NewToken = Omit<StoredToken, 'used' | 'count'>

/** An installation: a UUID in lower case, and what it calls itself. */
export interface TokenClient {
  readonly id: string
  readonly software: string | undefined
  readonly device: string | undefined
}

/** Clients of an account that can have tokens. With one more, those go whose token would be the first to expire. */
export const tokenClients = 50

/**
 * Tokens go with their account and when its keys are replaced (`Accounts.setKeys`). A client has two at most: the one that
 * it used last, and one that it has not used yet. All methods throw `StorageUnavailable`.
 */
export interface TokenStore {
  /** The one not used yet first. */
  of(account: number, client: string): Promise<readonly StoredToken[]>
  /** In place of one that the client has not used; those of the account that have expired go as well. False: no such account. */
  issue(account: number, client: TokenClient, token: NewToken): Promise<boolean>
  /**
   * The client has shown it; those before it go. With `count` only when that is higher than any before. False: it is not
   * there, or the counter is not higher.
   */
  use(account: number, client: string, seed: Buffer, count?: number): Promise<boolean>
  /** Takes away those of one client, or of all, and tells how many clients had one. */
  revoke(account: number, client?: string): Promise<number>
  /** By when they were issued, the last first. */
  list(account: number): Promise<readonly (TokenClient & StoredToken)[]>
}
