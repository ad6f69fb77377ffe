/** What a stream needs of a TCP socket, a WebSocket, a BOSH body or a test pipe. */

/** What the TLS layer can vouch for on this connection. */
export interface TlsFacts {
  /** e.g. `TLSv1.3` */
  readonly protocol: string
  readonly cipher: string
  /** Server name that the client asked for (SNI). */
  readonly serverName: string | undefined
  /**
   * The certificates that the peer sent, in DER, its own first; empty when it sent none. Nothing is checked but that
   * the peer holds the key of the first. At most ten; read when first asked for, then kept with the connection.
   */
  readonly peerChain: readonly Buffer[]
  /** Channel binding (RFC 5056): the types it has, strongest first (XEP-0440), and their data. */
  readonly bindings: { readonly types: readonly string[]; data(type: string): Buffer | undefined } | undefined
}

export interface Transport {
  /** Queues text for the peer. False: more than the high-water mark is waiting; stop feeding it until `onDrain`. */
  write(text: string): boolean
  pause(): void
  resume(): void
  /** Sends what is queued, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
  /**
   * STARTTLS. On an accepted connection it writes `proceed` as the last plain text; on one that we opened, it is called
   * when `<proceed/>` has come, and writes nothing. Resolves when the handshake is done. Absent where the transport
   * cannot (already secure, WebSocket, no certificate).
   */
  secure?(proceed: string): Promise<void>
  /** Undefined while plain. */
  readonly tls: TlsFacts | undefined
  /** Whether authentication may happen without TLS of ours: loopback listeners that say so in the configuration. */
  readonly trusted: boolean
  /** Address of the peer. */
  readonly remote: string
  /** Bytes not yet handed to the kernel. */
  readonly buffered: number
  /** The peer has authenticated: it no longer counts as a stranger of its address. */
  authenticated(): void
  onData: (chunk: Buffer) => void
  /** The peer sends no more and may still read: whoever hears it calls `end` when all is answered. */
  onEnd: () => void
  onClose: (error?: Error) => void
  onDrain: () => void
}
