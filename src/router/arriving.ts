/** A stanza on its way into an account, with what its hooks say of it to each other and to the road. */
import { recipients } from './delivery.js'
import type { Arrival, Bringer } from '../host/hooks.js'
import type { Host } from '../host/host.js'
import type { Session } from '../session/session.js'
import type { Stanza } from '../stanza/stanza.js'

/** A stanza that has reached an account, as its hooks see it. */
export class Arriving implements Arrival {
  readonly host: Host
  readonly bringer: Bringer | undefined
  copied: readonly Session[] | undefined = undefined

  constructor(host: Host, bringer: Bringer | undefined) {
    this.host = host
    this.bringer = bringer
  }

  recipients(stanza: Stanza): readonly Session[] | undefined {
    return recipients(stanza, this.host.sessions)
  }
}
