/** The modules that come with the server. A line here and the file it names are all there is to one. */
import offline from './offline.js'
import ping from './ping.js'
import roster from './roster.js'
import type { AnyModule } from '../host/module.js'

export const modules: readonly AnyModule[] = [offline, ping, roster]
