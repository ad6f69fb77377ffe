/** RFC 6121 §8: which resource gets what. */
import assert from 'node:assert/strict'
import { subscribed } from '../support/friends.js'
import { scene } from '../support/stage.js'

const UNAVAILABLE = `<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`

scene(
  'RFC 6121 §8.5.2.1.1: a message to the bare address reaches the resource that is there',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(`<message to='${juliet.bare}' type='chat' id='m1'><body>Hark!</body></message>`)
    await juliet.receives(
      `<message from='${romeo.full}' to='${juliet.bare}' type='chat' id='m1'><body>Hark!</body></message>`,
    )
    await romeo.hearsNothingMore()
    await juliet.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §8.5.2.1.1: chat and normal go to all resources of non-negative priority, and only to them',
  async ({ romeo, juliet, juliet$phone, juliet$robot, juliet$silent }) => {
    await romeo.online()
    await juliet.online()
    await juliet$phone.online('<presence><priority>5</priority></presence>')
    await juliet$robot.online('<presence><priority>-1</priority></presence>')
    await juliet$silent.connects()
    for (const device of [juliet, juliet$phone, juliet$robot]) await device.ignoresSoFar()
    for (const type of ['chat', 'normal']) {
      romeo.sends(`<message to='${juliet.bare}' type='${type}'><body>to all</body></message>`)
      for (const device of [juliet, juliet$phone]) {
        await device.receives(
          `<message from='${romeo.full}' to='${juliet.bare}' type='${type}'><body>to all</body></message>`,
        )
      }
    }
    for (const device of [juliet, juliet$phone, juliet$robot, juliet$silent]) await device.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §8.5.2.1.1: groupchat to a bare address is refused, an error for it is dropped',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(`<message to='${juliet.bare}' type='groupchat' id='g'><body>all</body></message>`)
    await romeo.receives(
      `<message type='error' from='${juliet.bare}' to='${romeo.full}' id='g'>${UNAVAILABLE}</message>`,
    )
    romeo.sends(`<message to='${juliet.bare}' type='error' id='e'>${UNAVAILABLE}</message>`)
    await juliet.hearsNothingMore()
    await romeo.hearsNothingMore()
  },
)

scene('RFC 6121 §8.5.1: a message to nobody comes back', async ({ romeo, stage }) => {
  await romeo.online()
  romeo.sends(`<message to='nobody@${stage.domain}' type='chat' id='n'><body>hello?</body></message>`)
  await romeo.receives(`<message type='error' from='nobody@${stage.domain}' id='n'>${UNAVAILABLE}</message>`)
  await romeo.hearsNothingMore()
})

scene(
  'RFC 6121 §8.5.2.1.1: a headline goes to all that take messages, and to nobody later',
  async ({ romeo, juliet, juliet$phone, juliet$robot, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    romeo.sends(`<message to='${juliet.bare}' type='headline'><body>news</body></message>`)
    await romeo.hearsNothingMore()
    await juliet.online()
    await juliet$phone.online()
    await juliet$robot.online('<presence><priority>-5</priority></presence>')
    for (const device of [juliet, juliet$phone, juliet$robot]) await device.ignoresSoFar()
    romeo.sends(`<message to='${juliet.bare}' type='headline'><body>more news</body></message>`)
    for (const device of [juliet, juliet$phone]) {
      await device.receives(`<message type='headline' to='${juliet.bare}'><body>more news</body></message>`)
      await device.hearsNothingMore()
    }
    await juliet$robot.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §8.5.3.1: a connected resource gets all that is addressed to it, whatever its presence',
  async ({ romeo, juliet$silent, juliet$robot }) => {
    await romeo.online()
    await juliet$silent.connects()
    await juliet$robot.online('<presence><priority>-1</priority></presence>')
    await juliet$robot.ignoresSoFar()
    for (const device of [juliet$silent, juliet$robot]) {
      for (const type of ['chat', 'normal', 'groupchat', 'headline', 'error']) {
        romeo.sends(`<message to='${device.full}' type='${type}' id='x'><body>you</body></message>`)
        await device.receives(
          `<message from='${romeo.full}' to='${device.full}' type='${type}'><body>you</body></message>`,
        )
      }
    }
  },
)

scene(
  'RFC 6121 §8.5.3.1: a request reaches a connected resource of who shares presence, and the answer comes back',
  async ({ romeo, romeo$phone, juliet$silent, juliet$robot, stage }) => {
    await romeo.online()
    await romeo$phone.connects()
    await juliet$silent.connects()
    await juliet$robot.online('<presence><priority>-1</priority></presence>')
    await subscribed(romeo, juliet$robot)
    await romeo.ignoresSoFar()
    for (const device of [juliet$silent, juliet$robot, romeo$phone]) {
      romeo.sends(`<iq to='${device.full}' type='get' id='q'><query xmlns='urn:example'/></iq>`)
      await device.receives(`<iq from='${romeo.full}' type='get' id='q'><query xmlns='urn:example'/></iq>`)
      device.sends(`<iq to='${romeo.full}' type='result' id='q'/>`)
      await romeo.receives(`<iq from='${device.full}' type='result' id='q'/>`)
    }
    assert.deepEqual(stage.logged, [])
  },
)

scene(
  'RFC 6121 §8.5.3.1, §11: a stranger asking a resource learns nothing; whoever was sent presence may ask',
  async ({ romeo, juliet, juliet$silent, other, stage }) => {
    await romeo.online()
    await juliet.online()
    await juliet$silent.connects()
    await other.tybalt.online()
    const question = `<query xmlns='urn:example'/>`
    for (const asker of [romeo, other.tybalt]) {
      const heard = asker.heard.length
      for (const to of [juliet.full, juliet$silent.full, `${juliet.bare}/gone`, `nobody@${stage.domain}/x`])
        await asker.isRefused('service-unavailable', 'get', question, to)
      const replies = asker.heard.slice(heard).replaceAll(/ (from|id)='[^']*'/g, '')
      assert.equal(new Set(replies.split(/(?<=<\/iq>)/)).size, 1, replies)
    }
    await juliet.hearsNothingMore()
    await juliet$silent.hearsNothingMore()

    juliet.sends(`<presence to='${romeo.full}'/>`)
    await romeo.receives(`<presence from='${juliet.full}'/>`)
    romeo.sends(`<iq to='${juliet.full}' type='set' id='q'>${question}</iq>`)
    await juliet.receives(`<iq from='${romeo.full}' type='set' id='q'>${question}</iq>`)
    await romeo.isRefused('service-unavailable', 'get', question, juliet$silent.full)
  },
)

scene(
  'RFC 6121 §8.5.3.2.1: a chat message for a resource that is gone goes to those that are there',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    romeo.sends(`<message to='${juliet.bare}/gone' type='chat'><body>still there?</body></message>`)
    await juliet.receives(`<message to='${juliet.bare}/gone' type='chat'><body>still there?</body></message>`)
  },
)

scene(
  'RFC 6121 §8.5.3.2.1: other kinds for a resource that is gone reach no other',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    for (const type of ['normal', 'groupchat']) {
      romeo.sends(`<message to='${juliet.bare}/gone' type='${type}' id='${type}'><body>?</body></message>`)
      await romeo.receives(
        `<message type='error' from='${juliet.bare}/gone' id='${type}'>${UNAVAILABLE}</message>`,
      )
    }
    for (const type of ['headline', 'error'])
      romeo.sends(`<message to='${juliet.bare}/gone' type='${type}'><body>?</body></message>`)
    await romeo.hearsNothingMore()
    await juliet.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §8.5.3.2.2: presence for a resource that is gone is ignored, but a request for subscription',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    for (const type of ['unavailable', 'subscribed', 'unsubscribe', 'unsubscribed']) {
      romeo.sends(`<presence to='${juliet.bare}/gone' type='${type}'/>`)
    }
    romeo.sends(`<presence to='${juliet.bare}/gone'/>`)
    await juliet.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §8.5.3.2.3: a request for a resource that is gone comes back, answers vanish',
  async ({ romeo, juliet }) => {
    await romeo.online()
    await juliet.online()
    await romeo.isRefused('service-unavailable', 'get', `<query xmlns='urn:example'/>`, `${juliet.bare}/gone`)
    romeo.sends(`<iq to='${juliet.bare}/gone' type='result' id='r'/>`)
    romeo.sends(`<iq to='${juliet.bare}' type='result' id='r'/>`)
    romeo.sends(`<iq to='${juliet.bare}' type='error' id='r'>${UNAVAILABLE}</iq>`)
    await romeo.hearsNothingMore()
    await juliet.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §8.5.2.1.3: a request to a bare address is answered by the server, though resources are there',
  async ({ romeo, juliet, juliet$phone }) => {
    await romeo.online()
    await juliet.online()
    await juliet$phone.online()
    await juliet.ignoresSoFar()
    await juliet$phone.ignoresSoFar()
    await romeo.isRefused('service-unavailable', 'get', `<query xmlns='urn:example'/>`, juliet.bare)
    await juliet.hearsNothingMore()
    await juliet$phone.hearsNothingMore()
  },
)

scene(
  'RFC 6121 §8.5.1: nobody and somebody absent give the same answer to a request and to presence',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    for (const to of [
      juliet.bare,
      `${juliet.bare}/x`,
      `nobody@${stage.domain}`,
      `nobody@${stage.domain}/x`,
    ]) {
      await romeo.isRefused('service-unavailable', 'get', `<query xmlns='urn:example'/>`, to)
      for (const type of ['', `type='unavailable'`, `type='error'`])
        romeo.sends(`<presence to='${to}' ${type}/>`)
    }
    await romeo.hearsNothingMore()
  },
)

scene('RFC 6120 §10.4: a domain that cannot be reached is told to the sender', async ({ romeo }) => {
  await romeo.online()
  romeo.sends(`<message to='mercutio@verona.example' type='chat' id='far'><body>hey</body></message>`)
  await romeo.receives(
    `<message type='error' id='far' from='mercutio@verona.example'><error type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{any}</text></error></message>`,
  )
})

scene('Two domains of one server reach each other', async ({ romeo, other }) => {
  await romeo.online()
  await other.juliet.online()
  romeo.sends(`<message to='${other.juliet.bare}' type='chat'><body>over the wall</body></message>`)
  await other.juliet.receives(
    `<message from='${romeo.full}' type='chat'><body>over the wall</body></message>`,
  )
})
