// What becomes of an account's contacts when it is removed (XEP-0077 §3.2.1, RFC 6121 §2.5.2).
import assert from 'node:assert/strict'
import { friends, rosterOf } from '../support/friends.js'
import { scene } from '../support/stage.js'

scene(
  'a removed account takes its subscriptions with it, and a new one of its name has none',
  async (cast) => {
    const { juliet, stage } = cast
    const romeo = cast.other.romeo
    await juliet.online()
    await romeo.online()
    await friends(juliet, romeo)
    const host = stage.server.hosts.get(juliet.domain)!
    const account = await host.account(juliet.local)
    await host.removeAccount(account!)
    await juliet.isDisconnected('not-authorized')
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await romeo.receives(`<presence type='unsubscribe' from='${juliet.bare}'/>`)
    await romeo.receivesInAnyOrder(
      `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${juliet.bare}' subscription='to'/></query></iq>`,
      `<presence type='unsubscribed' from='${juliet.bare}'/>`,
      `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${juliet.bare}' subscription='none'/></query></iq>`,
    )
    await romeo.hearsNothingMore()

    await juliet.online()
    assert.deepEqual(await rosterOf(juliet), [])
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
)
