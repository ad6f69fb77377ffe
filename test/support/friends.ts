/** Scenes that begin in the middle, with actors who know each other already; and voices from elsewhere. */
import type { Actor } from './actor.js'
import type { Stage } from './stage.js'
import { Stanza } from '../../src/stanza/stanza.js'

/** `watcher` is subscribed to `watched`; both must be online. What it took is forgotten. */
export async function subscribed(watcher: Actor, watched: Actor): Promise<void> {
  watcher.sends(`<presence type='subscribe' to='${watched.bare}'/>`)
  await watcher.settled()
  watched.sends(`<presence type='subscribed' to='${watcher.bare}'/>`)
  await watcher.ignoresSoFar()
  await watched.ignoresSoFar()
}

/** Both are subscribed to each other. */
export async function friends(one: Actor, other: Actor): Promise<void> {
  await subscribed(one, other)
  await subscribed(other, one)
}

/** The items of the actor's roster, as its server tells them. */
export async function rosterOf(actor: Actor): Promise<Record<string, string>[]> {
  const reply = await actor.gets(`<query xmlns='jabber:iq:roster'/>`)
  const items = reply.child('query', 'jabber:iq:roster')?.childrenOf('item') ?? []
  return items.map(({ attrs }) => {
    const { xmlns: _, ...shown } = attrs
    return shown
  })
}

/** What an address says that it can (XEP-0030). */
export async function featuresOf(of: string, asker: Actor): Promise<string[]> {
  const reply = await asker.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, of)
  const query = reply.child('query', 'http://jabber.org/protocol/disco#info')
  return query!.childrenOf('feature').map(({ attrs }) => attrs['var']!)
}

/** A presence stanza comes from another server. */
export async function arrives(stage: Stage, presence: string): Promise<void> {
  const stanza = Stanza.parse(presence.replace('<presence', `<presence xmlns='jabber:client'`))
  stage.server.hosts.get(stage.domain)?.send(stanza)
  await stage.settled()
}

/** What leaves for other servers from here on, one line per presence stanza. */
export function listens(stage: Stage): string[] {
  const heard: string[] = []
  stage.server.elsewhere = {
    send({ type, from, to, id, payload }) {
      const line = [type ?? 'available', from.toString(), to?.toString(), id ?? '-', payload.text]
      heard.push(line.join(' ').trimEnd())
    },
  }
  return heard
}

/** `watcher`, who lives elsewhere, is subscribed to `watched`. */
export async function grants(watched: Actor, watcher: string): Promise<void> {
  await arrives(watched.stage, `<presence type='subscribe' from='${watcher}' to='${watched.bare}'/>`)
  watched.sends(`<presence type='subscribed' to='${watcher}'/>`)
  await watched.ignoresSoFar()
}
