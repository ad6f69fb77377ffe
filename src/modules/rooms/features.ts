/** The features that rooms have. The order is the one of their hooks, of the form's fields and of what follows an entry. */
import { anonymity } from './anonymity.js'
import { archive } from './archive.js'
import { capacity } from './capacity.js'
import type { FeatureSource } from './feature.js'
import { history } from './history.js'
import { moderation } from './moderation.js'
import { ghosts } from './ghosts.js'
import { nicks } from './nicks.js'
import { occupantIds } from './occupant-ids.js'
import { occupantIq } from './occupant-iq.js'
import { presence } from './presence.js'
import { privateMessages } from './private-messages.js'
import { retraction } from './retraction.js'
import { selfPing } from './self-ping.js'
import { slowMode } from './slow-mode.js'
import { restarts } from './restarts.js'
import { subject } from './subject.js'

export const features: readonly FeatureSource[] = [
  // Who is in, and is not any more.
  restarts,
  ghosts,
  // Who may come in and speak.
  nicks,
  slowMode,
  // From one to another.
  privateMessages,
  selfPing,
  occupantIq,
  capacity,
  // What is shown of whom.
  anonymity,
  presence,
  occupantIds,
  // After the entry: history first, the subject last (XEP-0045 §7.1).
  history,
  subject,
  // Last of those that hear what is spoken: what it keeps is what everybody gets.
  retraction,
  moderation,
  archive,
]
