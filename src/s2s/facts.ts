/** What can be known of the links to other servers: for the admin, for error texts and for the log. */

/** The step of an attempt at which something went wrong, in the order of the steps. */
export type Stage = 'policy' | 'dns' | 'tcp' | 'tls' | 'certificate' | 'auth' | 'stream'

/** Who can do something about it. */
export type Side = 'ours' | 'theirs' | 'path'

/** What is wrong, as far as it tells what to do about it. */
export type Trouble =
  /** On the list of blocked domains. */
  | 'blocked'
  /** Refused by the configuration. */
  | 'policy'
  /** DNS knows no server for the domain. */
  | 'no such domain'
  /** Its DNS says that there is none for other servers. */
  | 'no service'
  /** DNS answered that it could not find out, or did not answer at all. */
  | 'dns failed'
  | 'dns silent'
  /** The host that should be connected to has no address. */
  | 'unresolved'
  | 'refused'
  | 'unreachable'
  /** Connected, and then nothing came. */
  | 'silent'
  | 'no tls'
  | 'handshake'
  | 'certificate'
  /** It asked the server that DNS names for us, and was told that our dialback key is none. */
  | 'unconfirmed'
  /** It answered our dialback with an error, or with nothing. */
  | 'not taken'
  /** It ended the stream. */
  | 'ended'
  /** A fault or limit of this server. */
  | 'ours'

/** An attempt to reach another server that failed. The message is one line for people. */
export class Failure extends Error {
  override readonly name = 'Failure'

  /**
   * `final`: trying again would change nothing, for there is no such server or we may not speak with it. `condition`:
   * of the error that the peer sent.
   */
  constructor(
    readonly stage: Stage,
    reason: string,
    readonly side: Side,
    readonly final?: 'no such server' | 'not allowed' | undefined,
    readonly trouble: Trouble = 'ours',
    readonly condition?: string | undefined,
  ) {
    super(reason)
  }
}

export type LinkState =
  /** An attempt is under way. */
  | 'connecting'
  /** The last attempt failed; the next one waits for its time. */
  | 'waiting'
  /** Authenticated: stanzas flow. */
  | 'open'
  /** A stream to us that has not proved yet whose it is. */
  | 'unproven'

/** How the pair of domains was authenticated. */
export type LinkAuth = 'external' | 'dialback'

/** One pair of domains on one stream, or one whose stream cannot be had now. */
export interface LinkFacts {
  /** Our domain; of a stream to us that has proved nothing yet, the one it was opened to. */
  readonly local: string
  readonly remote: string
  readonly dir: 'in' | 'out'
  readonly state: LinkState
  readonly auth: LinkAuth | undefined
  /** `TLSv1.3` */
  readonly tls: string | undefined
  /** Address of the peer, undefined before there is a connection. */
  readonly ip: string | undefined
  /** Milliseconds since 1970: when this state began. */
  readonly since: number
  /** What waits for the peer. */
  readonly queue: QueueFacts
  readonly failure: FailureFacts | undefined
}

export interface QueueFacts {
  readonly stanzas: number
  readonly bytes: number
  /** When the oldest of them came, in milliseconds since 1970. */
  readonly oldest: number | undefined
}

export interface FailureFacts {
  readonly stage: Stage
  readonly reason: string
  readonly side: Side
  /** Milliseconds since 1970. */
  readonly at: number
  /** When the next attempt is due; undefined when nothing waits for one. */
  readonly nextTry: number | undefined
}

/** One step of a probe: what was found, or what is wrong. */
export interface ProbeStep {
  readonly stage: Stage
  readonly ok: boolean
  readonly text: string
  /** Of a step that failed. */
  readonly side?: Side
  readonly trouble?: Trouble
  readonly condition?: string | undefined
  /** Milliseconds since the probe began. */
  readonly ms: number
}

/** The links to other servers, for the admin. */
export interface Federation {
  links(): readonly LinkFacts[]
  /** Tries at once again whatever waits for this domain; gives how many links that were. */
  retry(remote: string): number
  /** Hands back what waits for this domain to those who sent it; gives how many stanzas that were. */
  flush(remote: string): number
  /** Ends the streams from and to a domain and hands back what waits for it; gives how many links that were. */
  drop(remote: string, reason: string): number
  /**
   * Walks the whole way to another server on a connection of its own, beside those that are there, and ends it again.
   * Resolves with whether all went well; `onStep` hears each step in order.
   */
  probe(local: string, remote: string, onStep: (step: ProbeStep) => void): Promise<boolean>
}
