/** RFC 6121 §8: which resource gets what. */
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
