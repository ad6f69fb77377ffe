/** What somebody tries who wishes no good. */
import assert from 'node:assert/strict'
import { arrives, listens } from '../support/friends.js'
import { scene } from '../support/stage.js'

scene(
  'RFC 6121 §8.5.1: a probe does not tell an account that is there from one that is not',
  async ({ juliet, stage }) => {
    await stage.account('juliet', juliet.domain, 'wherefore')
    const heard = listens(stage)
    for (const to of ['juliet@', 'nobody@']) {
      for (const resource of ['', '/tower'])
        await arrives(
          stage,
          `<presence type='probe' id='p' from='spy@far.example/x' to='${to}${stage.domain}${resource}'/>`,
        )
    }
    const told = (local: string) => `unsubscribed ${local}@${stage.domain} spy@far.example p`
    assert.deepEqual(heard, [told('juliet'), told('juliet'), told('nobody'), told('nobody')])
  },
)

scene(
  'RFC 6120 §4.7.4: a language that is none is not stamped on every stanza',
  async ({ romeo, juliet }) => {
    await juliet.online()
    romeo.language = `x-${'long'.repeat(1000)}`
    await romeo.connects()
    romeo.sends(`<message to='${juliet.full}' id='m'/>`)
    const message = await juliet.next()
    assert.equal(message.attrs['xml:lang'], undefined)
    await romeo.leaves()
    romeo.language = 'de-CH-1901'
    await romeo.connects()
    romeo.sends(`<message to='${juliet.full}' id='m'/>`)
    assert.equal((await juliet.next()).attrs['xml:lang'], 'de-CH-1901')
  },
)

scene(
  'RFC 6120 §4.3.3: what an earlier header said of the language is forgotten with a restart',
  async ({ romeo, juliet }) => {
    await juliet.online()
    await romeo.opens(`to='${romeo.domain}' version='1.0' xml:lang='fr'`)
    await romeo.stage.account('romeo', romeo.domain, 'wherefore')
    romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${romeo.plain()}</auth>`)
    await romeo.next('success')
    romeo.startsStream()
    await romeo.next('features')
    await romeo.sets(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`)
    romeo.sends(`<message to='${juliet.full}' id='m'/>`)
    assert.equal((await juliet.next()).attrs['xml:lang'], undefined)
  },
)

scene(
  'limits §1: guesses from one IPv6 network count together, whichever address they come from',
  async ({ juliet, stage }) => {
    await stage.account('juliet', juliet.domain, 'wherefore')
    let condition = ''
    for (let i = 1; i <= 5; i++) {
      stage.pipe = { remote: `2001:db8:0:1::${i.toString(16)}` }
      const guesser = stage.twin(juliet)
      await guesser.opens()
      guesser.raw(
        `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${guesser.plain(`guess ${i}`)}</auth>`,
      )
      condition = (await guesser.next()).childrenOf()[0]?.local ?? ''
      if (i <= 4) assert.equal(condition, 'not-authorized')
    }
    assert.equal(condition, 'temporary-auth-failure')
    stage.pipe = { remote: '2001:db8:0:2::1' }
    await juliet.connects()
  },
  { set: ['limits.lockout_failures=4'] },
)

scene(
  'limits §1: what the limits let in can be read again, by a handler and from the store',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    const bulk = `<x xmlns='urn:example:bulk'>${'<y/>'.repeat(12_000)}</x>`
    const deep = `<x xmlns='urn:example:deep'>${'<y>'.repeat(200)}${'</y>'.repeat(200)}</x>`
    assert.equal((await romeo.gets(bulk, stage.domain)).attrs['type'], 'error')
    assert.equal((await romeo.gets(deep, stage.domain)).attrs['type'], 'error')
    romeo.sends(`<message to='${juliet.bare}' type='chat' id='bulk'><body>b</body>${bulk}</message>`)
    romeo.sends(`<message to='${juliet.bare}' type='chat' id='deep'><body>d</body>${deep}</message>`)
    await romeo.settled()
    await juliet.online()
    assert.equal((await juliet.next()).attrs['id'], 'bulk')
    assert.equal((await juliet.next()).attrs['id'], 'deep')
  },
  { set: ['limits.elements=off', 'limits.depth=1000'] },
)

scene(
  'RFC 6120 §7: who was disabled or removed after authentication binds nothing',
  async ({ romeo, juliet, stage }) => {
    for (const actor of [romeo, juliet]) {
      await stage.account(actor.local, actor.domain, 'wherefore')
      await actor.opens()
      actor.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${actor.plain()}</auth>`)
      await actor.next('success')
      actor.startsStream()
      await actor.next('features')
    }
    const { accounts } = stage.stores
    await accounts.disable((await accounts.get(stage.domain, 'romeo'))!.id, 'enough', stage.clock.now())
    romeo.sends(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
    await romeo.isDisconnected('not-authorized')

    // Removed while the roster is being read: there is no session yet that could be ended.
    const { rosters } = stage.stores
    const load = rosters.load.bind(rosters)
    rosters.load = async (account) => {
      const loaded = await load(account)
      await accounts.remove(account)
      return loaded
    }
    juliet.sends(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
    await juliet.isDisconnected('not-authorized')
    assert.equal(stage.server.sessionCount, 0)
  },
)

scene(
  'limits §3, P3: what two resources were to get, and one did, is not kept for later when the other goes',
  async ({ romeo, juliet, juliet$phone, stage }) => {
    await romeo.online()
    await juliet.online()
    const { offline } = stage.stores
    const read = offline.read.bind(offline)
    let goOn: () => void = () => {}
    const wait = new Promise<void>((resolve) => (goOn = resolve))
    offline.read = async (...args) => {
      await wait
      return read(...args)
    }
    await juliet$phone.connects()
    juliet$phone.sends('<presence/>')
    await juliet.next('presence of the phone')
    romeo.sends(`<message to='${juliet.bare}' type='chat' id='m'><body>once</body></message>`)
    assert.equal((await juliet.next()).attrs['id'], 'm')
    await juliet$phone.vanishes()
    goOn()
    await juliet.next('unavailable')
    await juliet.hearsNothingMore()
    await juliet.leaves()
    await juliet.online()
    await juliet.hearsNothingMore()
  },
)

scene(
  'limits §3, P2: what is held by two resources is kept when both go',
  async ({ romeo, juliet, juliet$phone, stage }) => {
    await romeo.online()
    const { offline } = stage.stores
    const read = offline.read.bind(offline)
    let goOn: () => void = () => {}
    const wait = new Promise<void>((resolve) => (goOn = resolve))
    offline.read = async (...args) => {
      await wait
      return read(...args)
    }
    for (const actor of [juliet, juliet$phone]) {
      await actor.connects()
      actor.sends('<presence/>')
      await actor.next('its own presence')
    }
    romeo.sends(`<message to='${juliet.bare}' type='chat' id='m'><body>once</body></message>`)
    await romeo.settled()
    await juliet.vanishes()
    await juliet$phone.vanishes()
    goOn()
    await romeo.settled()
    await juliet.online()
    assert.equal((await juliet.next()).attrs['id'], 'm')
    await juliet.hearsNothingMore()
  },
)

scene(
  'limits §3, P2: a message on its way into the store is waited for by whoever comes back meanwhile',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online('<presence><priority>-1</priority></presence>')
    const { accounts } = stage.stores
    const get = accounts.get.bind(accounts)
    let goOn: () => void = () => {}
    const wait = new Promise<void>((resolve) => (goOn = resolve))
    accounts.get = (domain, local) =>
      local === 'juliet' ? wait.then(() => get(domain, local)) : get(domain, local)
    romeo.sends(`<message to='${juliet.bare}' type='chat' id='m'><body>slow</body></message>`)
    await new Promise((resolve) => setImmediate(resolve))
    juliet.sends('<presence/>')
    await juliet.next('its own presence')
    await new Promise((resolve) => setImmediate(resolve))
    accounts.get = get
    goOn()
    assert.equal((await juliet.next()).attrs['id'], 'm')
  },
)

scene(
  'RFC 6120 §7: who authenticated for an account binds none that was made under its name since',
  async ({ romeo, stage }) => {
    const { accounts } = stage.stores
    await stage.account('romeo', stage.domain, 'wherefore')
    await romeo.opens()
    romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${romeo.plain()}</auth>`)
    await romeo.next('success')
    romeo.startsStream()
    await romeo.next('features')
    await accounts.remove((await accounts.get(stage.domain, 'romeo'))!.id)
    await stage.account('romeo', stage.domain, 'another')
    romeo.sends(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
    await romeo.isDisconnected('not-authorized')
  },
)

scene(
  'XEP-0175: guests leave nothing behind in the store',
  async ({ romeo }) => {
    await romeo.opens()
    // Whose keys were looked at before does not count.
    romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${romeo.plain()}</auth>`)
    await romeo.next('failure')
    romeo.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>`)
    await romeo.next('challenge')
    romeo.raw(`<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</response>`)
    await romeo.next('success')
    romeo.startsStream()
    await romeo.next('features')
    await romeo.sets(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`)
    await romeo.isRefused('registration-required', 'set', `<vCard xmlns='vcard-temp'><FN>x</FN></vCard>`)
    await romeo.isRefused(
      'registration-required',
      'set',
      `<query xmlns='jabber:iq:private'><x xmlns='urn:example:x'/></query>`,
    )
    const [card] = (await romeo.gets(`<vCard xmlns='vcard-temp'/>`)).childrenOf('error')
    assert.ok(card?.child('item-not-found'))
  },
  { set: ['auth.anonymous=true'] },
)

scene(
  'limits §3, P10: a stop waits for what was held, on its way into the store',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.connects()
    const { offline } = stage.stores
    const append = offline.append.bind(offline)
    offline.read = () => new Promise(() => {})
    juliet.sends('<presence/>')
    await juliet.next('its own presence')
    romeo.sends(`<message to='${juliet.bare}' type='chat' id='m'><body>held</body></message>`)
    await romeo.settled()
    let stored = 0
    offline.append = async (...args) => {
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
      stored++
      return append(...args)
    }
    await stage.server.stop()
    assert.equal(stored, 1)
  },
)
