/** The two ways storage fails: for now (the caller answers its peer with a retryable error) and at start (the admin has to act). */

/**
 * The database cannot be reached, is too slow or refuses work for now; nothing about the request was wrong.
 * To peers: `internal-server-error` of type `wait` (RFC 6120 §8.3.3.6) or `temporary-auth-failure` (§6.5.10).
 * A write that ends so may or may not have been committed.
 */
export class StorageUnavailable extends Error {
  override readonly name = 'StorageUnavailable'
}

/** The server cannot start on this storage. `message` says what is wrong and `fix` what to do: one clear line each. */
export class StorageRefused extends Error {
  override readonly name = 'StorageRefused'
  constructor(
    message: string,
    readonly fix: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}
