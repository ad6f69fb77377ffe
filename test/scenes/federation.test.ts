/** Federation: two servers, and what people of both say to each other. */
import { scene } from '../support/stage.js'

const anyServer = { set: ['s2s.policy=dialback-ok'], far: { set: ['s2s.policy=dialback-ok'] } }

scene(
  'XEP-0220 §2: a message finds its way over dialback, and so does the answer',
  async ({ romeo, far }) => {
    await romeo.online()
    await far.juliet.online()
    romeo.sends(`<message to='${far.juliet.bare}' type='chat'><body>But soft!</body></message>`)
    await far.juliet.receives(
      `<message from='${romeo.full}' to='${far.juliet.bare}' type='chat'><body>But soft!</body></message>`,
    )
    far.juliet.sends(`<message to='${romeo.full}' type='chat'><body>Ay me!</body></message>`)
    await romeo.receives(`<message from='${far.juliet.full}' type='chat'><body>Ay me!</body></message>`)
  },
  anyServer,
)
