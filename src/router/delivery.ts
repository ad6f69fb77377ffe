/** Which resources of a local account get a stanza: the rules of RFC 6121 §8.5, and nothing else. */
import type { Session } from '../session/session.js'
import type { Sessions } from '../session/sessions.js'
import { StanzaError } from '../stanza/errors.js'
import { isPrivateInRoom } from '../stanza/occupants.js'
import type { Stanza } from '../stanza/stanza.js'

/** To these sessions, to nobody and nobody is told, to nobody now (ask the undelivered gate), or back as an error. */
export type Choice = readonly Session[] | 'drop' | 'undelivered' | StanzaError

const NOBODY: readonly Session[] = Object.freeze([])
const NO_SUCH = new StanzaError('service-unavailable')

export function choose(stanza: Stanza, sessions: Sessions): Choice {
  const to = stanza.to
  if (!to) return 'drop'
  if (!to.isBare) {
    // RFC 6121 §8.5.3.1: a connected resource gets everything that is addressed to it.
    const session = sessions.get(to)
    if (session) return [session]
  }
  return stanza.kind === 'message' ? chooseForMessage(stanza, sessions) : chooseForIq(stanza)
}

/** The sessions among these; none when no resource takes it now, undefined when it comes back or is dropped. */
export function recipients(stanza: Stanza, sessions: Sessions): readonly Session[] | undefined {
  const choice = choose(stanza, sessions)
  if (choice === 'undelivered') return NOBODY
  return choice === 'drop' || choice instanceof StanzaError ? undefined : choice
}

function chooseForMessage(stanza: Stanza, sessions: Sessions): Choice {
  const to = stanza.to!
  switch (stanza.effectiveType) {
    case 'error':
      return 'drop' // RFC 6121 §8.5.2.1.1, §8.5.3.2.1
    case 'groupchat':
      return NO_SUCH // RFC 6121 §8.5.2.1.1: never to a bare address
    case 'headline': {
      // RFC 6121 §8.5.2.1.1: to all that take messages; never kept for later
      if (!to.isBare) return 'drop'
      const takers = sessions.available(to).filter((session) => session.takesMessages)
      return takers.length > 0 ? takers : 'drop'
    }
    case 'chat':
      // XEP-0045 §18.1.2: meant for who is in the room; the error tells it that this device is not any more.
      if (!to.isBare && isPrivateInRoom(stanza)) return NO_SUCH
      return takersOf(to, sessions) // RFC 6121 §8.5.3.2.1: a full address without match is as the bare one
    default:
      // RFC 6121 §8.5.3.2.1: a normal message for a resource that is gone is for no other
      return to.isBare ? takersOf(to, sessions) : NO_SUCH
  }
}

/** RFC 6121 §8.5.2.1.1: of the permitted rules ours is "all non-negative resources" (XEP-0280 §6). */
function takersOf(to: NonNullable<Stanza['to']>, sessions: Sessions): Choice {
  const available = sessions.available(to)
  if (available.length === 0) return 'undelivered'
  // Ordered by priority: when the last takes messages, all do.
  if (available[available.length - 1]!.takesMessages) return available
  const takers = available.filter((session) => session.takesMessages)
  return takers.length > 0 ? takers : 'undelivered'
}

function chooseForIq(stanza: Stanza): Choice {
  // RFC 6121 §8.5.3.2.3
  return stanza.type === 'get' || stanza.type === 'set' ? NO_SUCH : 'drop'
}
