// RFC 6121 §3: managing presence subscriptions, on one host and between two.
import assert from 'node:assert/strict'
import { arrives, friends, rosterOf, subscribed } from '../support/friends.js'
import { scene, type Cast } from '../support/stage.js'
import { StorageUnavailable } from '../../src/storage/errors.js'
import { memoryStores } from '../../src/storage/memory.js'
import type { RosterStore } from '../../src/storage/rosters.js'
import type { Stores } from '../../src/storage/stores.js'
import type { Actor } from '../support/actor.js'

const push = (item: string) =>
  `<iq type='set' id='{any}'><query xmlns='jabber:iq:roster' ver='{any}'>${item}</query></iq>`
const error = (condition: string, text = '') =>
  `<error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>${text}</error>`

/** The same conversation with a contact on this host and on another. */
function scenes(name: string, play: (juliet: Actor, romeo: Actor, cast: Cast) => Promise<void>): void {
  scene(`${name} (one host)`, (cast) => play(cast.juliet, cast.romeo, cast))
  scene(`${name} (two hosts)`, (cast) => play(cast.juliet, cast.other.romeo, cast))
}

scenes(
  'RFC 6121 §3.1.2, §3.1.3: a request leaves from and goes to bare JIDs; the asker gets a push',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    juliet.sends(`<presence type='subscribe' to='${romeo.full}' id='s1'><status>Please</status></presence>`)
    await juliet.receives(push(`<item jid='${romeo.bare}' subscription='none' ask='subscribe'/>`))
    await romeo.receives(
      `<presence type='subscribe' from='${juliet.bare}' to='${romeo.bare}' id='s1'><status>Please</status></presence>`,
    )
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
    assert.deepEqual(await rosterOf(romeo), [])
  },
)

scenes(
  'RFC 6121 §3.1.2: asking again repeats the request; the contact sees it once',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    await juliet.ignoresSoFar()
    await romeo.ignoresSoFar()
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
)

scene('RFC 6121 §3.1.2: an address that is none', async ({ juliet }) => {
  await juliet.online()
  juliet.sends(`<presence type='subscribe' to='@example.com' id='s1'/>`)
  const reply = await juliet.next()
  assert.equal(reply.attrs['type'], 'error')
  assert.ok(reply.child('error')?.child('jid-malformed'))
})

scene('RFC 6121 §3.1.2: a request that cannot be routed is answered with an error', async ({ juliet }) => {
  await juliet.online()
  juliet.sends(`<presence type='subscribe' to='romeo@nowhere.example' id='s1'/>`)
  await juliet.receivesInAnyOrder(
    push(`<item jid='romeo@nowhere.example' subscription='none' ask='subscribe'/>`),
    `<presence type='error' from='romeo@nowhere.example' id='s1'>${error('remote-server-not-found', `<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text>`)}</presence>`,
  )
})

scene(
  'RFC 6121 §8.5.1: a request to nobody looks like one to somebody who does not answer',
  async ({ juliet }) => {
    await juliet.online()
    juliet.sends(`<presence type='subscribe' to='nobody@${juliet.domain}'/>`)
    await juliet.receives(push(`<item jid='nobody@${juliet.domain}' subscription='none' ask='subscribe'/>`))
    for (const type of ['subscribed', 'unsubscribe', 'unsubscribed'])
      juliet.sends(`<presence type='${type}' to='nobody2@${juliet.domain}'/>`)
    await juliet.receives(push(`<item jid='nobody2@${juliet.domain}' subscription='none' approved='true'/>`))
    await juliet.receives(
      push(`<item jid='nobody2@${juliet.domain}' subscription='none' approved='{none}'/>`),
    )
    await juliet.hearsNothingMore()
  },
)

scene('a subscription to oneself is not needed, and one to nobody cannot be', async ({ juliet }) => {
  await juliet.online()
  juliet.sends(`<presence type='subscribe' to='${juliet.full}' id='s1'/>`)
  await juliet.receives(
    `<presence type='error' from='${juliet.full}' id='s1'>${error('not-allowed')}</presence>`,
  )
  juliet.sends(`<presence type='subscribe' id='s2'/>`)
  const reply = await juliet.next()
  assert.ok(reply.child('error')?.child('bad-request'))
  assert.deepEqual(await rosterOf(juliet), [])
})

scenes(
  'RFC 6121 §3.1.3: a request goes to all available resources and to no other',
  async (juliet, romeo, { stage }) => {
    await juliet.online()
    await romeo.online()
    const phone = stage.actor('romeo$phone', romeo.domain)
    const silent = stage.actor('romeo$silent', romeo.domain)
    await phone.online('<presence><priority>-1</priority></presence>')
    await silent.connects()
    await silent.gets(`<query xmlns='jabber:iq:roster'/>`)
    await romeo.ignoresSoFar()
    await phone.ignoresSoFar()
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    await romeo.receives(`<presence type='subscribe' from='${juliet.bare}'/>`)
    await phone.receives(`<presence type='subscribe' from='${juliet.bare}'/>`)
    await silent.hearsNothingMore()
  },
)

scenes(
  'RFC 6121 §3.1.3: a request waits, whole, until it is answered; it is told once at each login',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.connects()
    await romeo.leaves()
    const request = `<presence type='subscribe' from='${juliet.bare}' to='${romeo.bare}' id='s1'><status>It is I</status><nick xmlns='http://jabber.org/protocol/nick'>J</nick></presence>`
    juliet.sends(
      `<presence type='subscribe' to='${romeo.bare}' id='s1'><status>It is I</status><nick xmlns='http://jabber.org/protocol/nick'>J</nick></presence>`,
    )
    await juliet.settled()
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}' id='s2'/>`)
    await juliet.ignoresSoFar()
    for (let login = 0; login < 2; login++) {
      await romeo.online()
      assert.deepEqual(await rosterOf(romeo), [])
      await romeo.receives(request)
      await romeo.hearsNothingMore()
      await romeo.leaves()
    }
    await romeo.online()
    await romeo.receives(request)
    romeo.sends(`<presence type='unsubscribed' to='${juliet.bare}'/>`)
    await romeo.hearsNothingMore()
    await romeo.leaves()
    await romeo.online()
    await romeo.hearsNothingMore()
  },
)

scenes(
  'RFC 6121 §3.1.3: a request of somebody who is subscribed already is answered by the server',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    await subscribed(juliet, romeo)
    juliet.sends(`<presence type='unavailable' to='${romeo.bare}'/>`)
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}' id='s1'/>`)
    // The approval fits no request of hers and stays with her server; the presence that follows it does not.
    await juliet.receives(`<presence type='{none}' from='${romeo.full}' to='${juliet.bare}'/>`)
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
)

scenes('RFC 6121 §3.1.5, §3.1.6: approval, push and presence arrive in this order', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online('<presence><show>away</show></presence>')
  juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
  await juliet.ignoresSoFar()
  await romeo.ignoresSoFar()
  romeo.sends(`<presence type='subscribed' to='${juliet.full}' id='a1'/>`)
  await romeo.receives(push(`<item jid='${juliet.bare}' subscription='from'/>`))
  await juliet.receives(`<presence type='subscribed' from='${romeo.bare}' to='${juliet.bare}' id='a1'/>`)
  await juliet.receives(push(`<item jid='${romeo.bare}' subscription='to' ask='{none}'/>`))
  await juliet.receives(
    `<presence type='{none}' from='${romeo.full}' to='${juliet.bare}'><show>away</show></presence>`,
  )
  await juliet.hearsNothingMore()
  await romeo.hearsNothingMore()
})

scenes(
  'RFC 6121 §3.1.5: presence is that of every available resource, told to every available resource',
  async (juliet, romeo, { stage }) => {
    const chamber = stage.actor('juliet$chamber', juliet.domain)
    const phone = stage.actor('romeo$phone', romeo.domain)
    for (const actor of [juliet, chamber, romeo, phone]) await actor.online()
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    for (const actor of [juliet, chamber, romeo, phone]) await actor.ignoresSoFar()
    phone.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
    for (const actor of [juliet, chamber]) {
      await actor.receives(`<presence type='subscribed' from='${romeo.bare}'/>`)
      await actor.receives(push(`<item jid='${romeo.bare}' subscription='to'/>`))
      await actor.receivesInAnyOrder(
        `<presence type='{none}' from='${romeo.full}'/>`,
        `<presence type='{none}' from='${phone.full}'/>`,
      )
      await actor.hearsNothingMore()
    }
  },
)

scenes('RFC 6121 §3.1.6: an approval that nobody asked for is ignored', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online()
  await subscribed(juliet, romeo)
  romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
  await juliet.hearsNothingMore()
  await romeo.hearsNothingMore()
})

scenes('RFC 6121 §3.2.2, §3.2.3: cancelling: unavailable, the notice, the pushes', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online()
  await friends(juliet, romeo)
  romeo.sends(`<presence type='unsubscribed' to='${juliet.full}' id='u1'/>`)
  await romeo.receives(push(`<item jid='${juliet.bare}' subscription='to'/>`))
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
  await juliet.receives(`<presence type='unsubscribed' from='${romeo.bare}' to='${juliet.bare}' id='u1'/>`)
  await juliet.receives(push(`<item jid='${romeo.bare}' subscription='from'/>`))
  romeo.sends('<presence><show>dnd</show></presence>')
  await juliet.hearsNothingMore()
})

scenes('RFC 6121 §3.2.2: what was never granted is not cancelled', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online()
  await subscribed(juliet, romeo)
  // She is "To" towards him: nothing to take back.
  juliet.sends(`<presence type='unsubscribed' to='${romeo.bare}'/>`)
  await romeo.hearsNothingMore()
  await juliet.hearsNothingMore()
})

scenes(
  'RFC 6121 §3.2: refusing a request leaves no trace with the one who refuses',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    await juliet.ignoresSoFar()
    await romeo.ignoresSoFar()
    romeo.sends(`<presence type='unsubscribed' to='${juliet.bare}'/>`)
    await juliet.receives(`<presence type='unsubscribed' from='${romeo.bare}'/>`)
    await juliet.receives(push(`<item jid='${romeo.bare}' subscription='none' ask='{none}'/>`))
    await romeo.hearsNothingMore()
    assert.deepEqual(await rosterOf(romeo), [])
  },
)

scenes(
  'RFC 6121 §3.3.2, §3.3.3: unsubscribing: the notice, the pushes, unavailable',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    await friends(juliet, romeo)
    juliet.sends(`<presence type='unsubscribe' to='${romeo.full}' id='u1'/>`)
    await romeo.receives(`<presence type='unsubscribe' from='${juliet.bare}' to='${romeo.bare}' id='u1'/>`)
    await romeo.receives(push(`<item jid='${juliet.bare}' subscription='to'/>`))
    await juliet.receivesInAnyOrder(
      push(`<item jid='${romeo.bare}' subscription='from'/>`),
      `<presence type='unavailable' from='${romeo.full}' to='${juliet.bare}'/>`,
    )
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
)

scenes('RFC 6121 §3.3.3: taking a request back removes it', async (juliet, romeo) => {
  await juliet.online()
  await romeo.connects()
  await romeo.leaves()
  juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
  juliet.sends(`<presence type='unsubscribe' to='${romeo.bare}'/>`)
  await juliet.ignoresSoFar()
  await romeo.online()
  await romeo.hearsNothingMore()
})

scenes('RFC 6121 §3.3.3: leaving somebody one was not subscribed to is ignored', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online()
  juliet.sends(`<presence type='unsubscribe' to='${romeo.bare}'/>`)
  await romeo.hearsNothingMore()
  await juliet.hearsNothingMore()
})

scenes(
  'RFC 6121 §3.4.2: an approval in advance is noted, not sent, and used when the request comes',
  async (juliet, romeo) => {
    await juliet.online()
    await romeo.online()
    romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
    await romeo.receives(push(`<item jid='${juliet.bare}' subscription='none' approved='true'/>`))
    await juliet.hearsNothingMore()
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
    await juliet.receives(push(`<item jid='${romeo.bare}' subscription='none' ask='subscribe'/>`))
    await juliet.receives(`<presence type='subscribed' from='${romeo.bare}' to='${juliet.bare}'/>`)
    await juliet.receives(push(`<item jid='${romeo.bare}' subscription='to'/>`))
    await juliet.receives(`<presence type='{none}' from='${romeo.full}'/>`)
    await romeo.receives(push(`<item jid='${juliet.bare}' subscription='from' approved='{none}'/>`))
    await romeo.hearsNothingMore()
    await juliet.hearsNothingMore()
  },
)

scenes('RFC 6121 §3.2.2, §3.4: an approval in advance can be taken back, unheard', async (juliet, romeo) => {
  await juliet.online()
  await romeo.online()
  romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`)
  await romeo.ignoresSoFar()
  romeo.sends(`<presence type='unsubscribed' to='${juliet.bare}'/>`)
  await romeo.receives(push(`<item jid='${juliet.bare}' subscription='none' approved='{none}'/>`))
  await juliet.hearsNothingMore()
  juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`)
  await romeo.receives(`<presence type='subscribe' from='${juliet.bare}'/>`)
})

scene('RFC 6121 §8.5.3.2.2: for a resource that is gone only a request counts', async ({ juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  await friends(juliet, romeo)
  // Clients' stanzas are made bare on their way out, so this one comes straight onto the road, as from another server.
  await arrives(juliet.stage, `<presence type='unsubscribed' from='${romeo.bare}' to='${juliet.bare}/gone'/>`)
  await juliet.hearsNothingMore()
  await arrives(
    juliet.stage,
    `<presence type='subscribe' from='nurse@example.com' to='${juliet.bare}/gone'/>`,
  )
  await juliet.receives(`<presence type='subscribe' from='nurse@example.com' to='${juliet.bare}'/>`)
})

let refuses = false
const shakyStores = (): Stores => {
  const stores = memoryStores()
  const { rosters } = stores
  const put: RosterStore['put'] = (account, item) =>
    refuses ? Promise.reject(new StorageUnavailable('away')) : rosters.put(account, item)
  return Object.assign(stores, {
    rosters: { put, load: rosters.load.bind(rosters), remove: rosters.remove.bind(rosters) },
  })
}

scene(
  'without its storage a server changes no subscription, says so, and goes on with presence',
  async ({ juliet, romeo }) => {
    refuses = false
    await juliet.online()
    await romeo.online()
    await friends(juliet, romeo)
    refuses = true
    juliet.sends(`<presence type='unsubscribed' to='${romeo.bare}' id='u1'/>`)
    await juliet.receives(
      `<presence type='error' from='${romeo.bare}' id='u1'><error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`,
    )
    juliet.sends('<presence><show>away</show></presence>')
    await romeo.receives(`<presence type='{none}' from='${juliet.full}'><show>away</show></presence>`)
    await juliet.ignoresSoFar()
    refuses = false
    juliet.sends(`<presence type='unsubscribed' to='${romeo.bare}'/>`)
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await romeo.receives(`<presence type='unsubscribed' from='${juliet.bare}'/>`)
  },
  { stores: shakyStores },
)
