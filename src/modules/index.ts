/** The modules that come with the server. A line here and the file it names are all there is to one. */
import announcements from './announcements.js'
import archive from './archive/index.js'
import blocking from './blocking/index.js'
import bookmarks from './bookmarks/index.js'
import capabilities from './capabilities/index.js'
import carbons from './carbons.js'
import commands from './commands/index.js'
import clientState from './client-state/index.js'
import contactAddresses from './contact-addresses.js'
import disco from './disco.js'
import displayed from './displayed.js'
import externalServices from './external-services.js'
import forgedMarks from './forged-marks.js'
import lastActivity from './last-activity.js'
import offline from './offline.js'
import pep from './pubsub/pep.js'
import pubsub from './pubsub/pubsub.js'
import ping from './ping.js'
import privateXml from './private-xml/index.js'
import push from './push/index.js'
import profiles from './profiles/index.js'
import registration from './registration.js'
import remoteRooms from './remote-rooms/index.js'
import rooms from './rooms/index.js'
import roster from './roster.js'
import serverInfo from './server-info.js'
import session from './session.js'
import streamLimits from './stream-limits.js'
import strangers from './strangers.js'
import time from './time.js'
import userSearch from './user-search/index.js'
import vcard from './vcard/index.js'
import version from './version.js'
import type { AnyModule } from '../host/module.js'

export const modules: readonly AnyModule[] = [
  announcements,
  archive,
  blocking,
  bookmarks,
  capabilities,
  carbons,
  commands,
  clientState,
  contactAddresses,
  disco,
  displayed,
  externalServices,
  forgedMarks,
  lastActivity,
  offline,
  pep,
  ping,
  privateXml,
  pubsub,
  push,
  profiles,
  registration,
  remoteRooms,
  rooms,
  roster,
  serverInfo,
  session,
  streamLimits,
  strangers,
  time,
  userSearch,
  vcard,
  version,
]
