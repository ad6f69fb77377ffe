/** The features that rooms have. The order is the one of their hooks, of the form's fields and of what follows an entry. */
import { administration } from './administration.js'
import { activity } from './activity.js'
import { anonymity } from './anonymity.js'
import { archive } from './archive.js'
import { bans } from './bans.js'
import { avatars } from './avatars.js'
import { capacity } from './capacity.js'
import { channels } from './channels.js'
import type { FeatureSource } from './feature.js'
import { limits } from './limits.js'
import { ghosts } from './ghosts.js'
import { hats } from './hats.js'
import { history } from './history.js'
import { invitations } from './invitations.js'
import { lists } from './lists.js'
import { membersOnly } from './members-only.js'
import { mentions } from './mentions.js'
import { moderated } from './moderated.js'
import { moderation } from './moderation.js'
import { configuration } from './configuration.js'
import { details } from './details.js'
import { disco } from './disco.js'
import { lasting } from './lasting.js'
import { listing } from './listing.js'
import { locked } from './locked.js'
import { news } from './news.js'
import { nicks } from './nicks.js'
import { occupantIds } from './occupant-ids.js'
import { occupantIq } from './occupant-iq.js'
import { passwords } from './passwords.js'
import { presence } from './presence.js'
import { privateMessages } from './private-messages.js'
import { registration } from './registration.js'
import { reservedNicks } from './reserved-nicks.js'
import { removals } from './removals.js'
import { restarts } from './restarts.js'
import { retraction } from './retraction.js'
import { secret } from './secret.js'
import { selfPing } from './self-ping.js'
import { slowMode } from './slow-mode.js'
import { subject } from './subject.js'
import { versions } from './versions.js'
import { voiceRequests } from './voice-requests.js'
import { unique } from './unique.js'

export const features: readonly FeatureSource[] = [
  // Who is in, and is not any more.
  restarts,
  ghosts,
  removals,
  // What it is.
  details,
  lasting,
  listing,
  configuration,
  disco,
  activity,
  channels,
  unique,
  secret,
  // Who may come in and speak.
  limits,
  locked,
  bans,
  membersOnly,
  passwords,
  moderated,
  voiceRequests,
  reservedNicks,
  nicks,
  capacity,
  slowMode,
  // From one to another.
  invitations,
  privateMessages,
  selfPing,
  occupantIq,
  // Who may change what others are.
  lists,
  administration,
  registration,
  versions,
  // What is shown of whom.
  anonymity,
  presence,
  occupantIds,
  hats,
  // After the entry: history first, the subject last (XEP-0045 §7.1).
  avatars,
  history,
  subject,
  // Who is not in.
  mentions,
  news,
  // Last of those that hear what is spoken: what it keeps is what everybody gets.
  retraction,
  moderation,
  archive,
]
