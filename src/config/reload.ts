/** What a new configuration changes in a running server: what can wait for no restart is taken up, the rest stays. */
import type { LoadedConfig } from './load.js'
import type { ServerConfig } from './server.js'
import { compareSettings } from './settings.js'
import type { ConfigChange } from './settings.js'

/**
 * The configuration to run on after a reload: `fresh`, but with the values of `running` where a change needs a restart.
 * `changes` tells every difference, those included; a later reload tells the kept ones again.
 */
export function takeUp(
  running: LoadedConfig,
  fresh: LoadedConfig,
): { next: LoadedConfig; changes: readonly ConfigChange[] } {
  const { domains, dataDir, listen, database, tls } = running.config
  const hosts = new Map(
    [...running.config.hosts].map(([domain, host]) => {
      const { modules, services } = fresh.config.hosts.get(domain) ?? host
      return [domain, { ...host, modules, services }] as const
    }),
  )
  const config: ServerConfig = { ...fresh.config, domains, dataDir, listen, database, tls, hosts }
  const kept = new Map(running.settings.map((setting) => [setting.path.join('\0'), setting]))
  const settings = fresh.settings.map((setting) =>
    setting.reload === 'restart' ? (kept.get(setting.path.join('\0')) ?? setting) : setting,
  )
  return { next: { ...fresh, config, settings }, changes: compareSettings(running.settings, fresh.settings) }
}
