/** What an admin asks of and does to the links between two real servers. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { NameServer } from '../support/name-server.js'
import { Client } from './support/client.js'
import { Parley, temporaryFolder } from './support/server.js'

const [ours, theirs] = ['capulet.example', 'montague.example'] as const
const closings: (() => Promise<void>)[] = []
let names: NameServer
let here: Parley
let there: Parley

before(async () => {
  names = await NameServer.start({})
  closings.push(() => names.stop())
  here = await serverOf(ours)
  there = await serverOf(theirs)
  found(there.port('STARTTLS', 'servers'))
})
after(async () => {
  for (const close of closings.splice(0).reverse()) await close()
})

async function serverOf(domain: string): Promise<Parley> {
  const folder = await temporaryFolder()
  closings.push(() => folder.remove())
  const set = [
    `domain=${domain}`,
    `dns.servers=["127.0.0.1:${names.address.port}"]`,
    's2s.policy=dialback-ok',
  ]
  const server = await Parley.start({ folder: folder.path, set })
  closings.push(async () => assert.equal((await server.stop()).code, 0))
  await server.add(`romeo@${domain}`)
  return server
}

/** DNS says that their server is at this port. */
function found(port: number): void {
  names.zone = {
    'home.example': { A: ['127.0.0.1'] },
    [`_xmpp-server._tcp.${ours}`]: { SRV: [`10 5 ${here.port('STARTTLS', 'servers')} home.example`] },
    [`_xmpp-server._tcp.${theirs}`]: { SRV: [`10 5 ${port} home.example`] },
  }
}

function login(server: Parley, domain: string): Promise<Client> {
  const trust = server.certificate(domain).pem
  return Client.login({ port: server.port('TLS at once'), direct: true, trust, account: `romeo@${domain}` })
}

test('s2s test walks the whole way and back', async () => {
  const { code, out } = await here.cli(['s2s', 'test', theirs])
  assert.equal(code, 0, out)
  assert.match(
    out,
    / 1 dns +ok +\d+ ms +home\.example:\d+ \(starttls, srv\)\n 2 tcp +ok +\d+ ms +127\.0\.0\.1:\d+\n 3 tls +ok .*TLSv1\.3.*\n 4 cert +ok .*\n 5 auth +ok .*by dialback\n 6 ping +ok +\d+ ms +answered\n result +both directions work\n$/,
  )
})

test('s2s list shows the links in both directions', async () => {
  const links = (await here.json('s2s', 'list')) as {
    remote: string
    dir: string
    state: string
    auth: string
  }[]
  const of = (dir: string) => links.filter((link) => link.dir === dir && link.state === 'open')
  for (const dir of ['in', 'out'])
    assert.deepEqual([of(dir)[0]?.remote, of(dir)[0]?.auth], [theirs, 'dialback'], JSON.stringify(links))
})

test('a block holds at once, on both sides, until it is removed', async () => {
  const [romeo, juliet] = [await login(here, ours), await login(there, theirs)]
  await romeo.appear()
  await juliet.appear()
  romeo.send(`<message to='${juliet.jid}'><body>But soft!</body></message>`)
  assert.equal((await juliet.next('message')).child('body')?.text, 'But soft!')

  const { code, out } = await here.cli(['block', 'add', theirs, '--reason', 'a plague on your house'])
  assert.equal(code, 0)
  assert.match(out, /^montague\.example is blocked\. Links ended: [1-9]\.\n$/)
  romeo.send(`<message to='${juliet.jid}' id='m'><body>Ay me!</body></message>`)
  const refused = await romeo.next('message')
  assert.equal(refused.attrs['type'], 'error')
  assert.ok(refused.child('error')?.child('not-allowed'), refused.toString())
  assert.match(refused.toString(), /montague\.example is blocked by this server: a plague on your house/)
  juliet.send(`<message to='${romeo.jid}' id='n'><body>Romeo!</body></message>`)
  await there.logs('s2s.out.failed')
  const failing = await there.cli(['s2s', 'list', '--failing'])
  assert.equal(failing.code, 1)
  assert.match(
    failing.out,
    /^capulet\.example .*their side: .*policy-violation \(.*a plague on your house\)$/m,
  )

  const blocked = await here.cli(['s2s', 'test', theirs])
  assert.equal(blocked.code, 1)
  assert.match(blocked.out, / 1 policy +FAIL .*\n result +OUR SIDE: .*\n fix +.*parley block remove/)
  const seen = await there.cli(['s2s', 'test', ours])
  assert.equal(seen.code, 1)
  assert.match(
    seen.out,
    / result +THEIR SIDE: .*policy-violation.*\n fix +.*ask the admin of capulet\.example/,
  )

  assert.equal((await here.cli(['block', 'remove', theirs])).code, 0)
  await there.cli(['s2s', 'retry', '--all'])
  assert.equal((await romeo.next('message')).child('body')?.text, 'Romeo!')
  assert.equal((await here.cli(['s2s', 'test', theirs])).code, 0)
  await romeo.close()
  await juliet.close()
})

test('a domain that cannot be reached: what fails, whose business it is, and trying again', async () => {
  // Ends the links there are, and keeps them from calling; a reload forgets what DNS said.
  await there.cli(['block', 'add', ours])
  await here.cli(['reload'])
  // Port 1: nobody listens there.
  found(1)
  const romeo = await login(here, ours)
  romeo.send(`<message to='romeo@${theirs}' id='m'><body>But soft!</body></message>`)
  await here.logs('s2s.out.failed')
  const failing = await here.cli(['s2s', 'list', '--failing'])
  assert.equal(failing.code, 1)
  assert.match(failing.out, /^montague\.example +capulet\.example +1 +in .* +tcp, their side: .*refused/m)
  const tested = await here.cli(['s2s', 'test', theirs])
  assert.equal(tested.code, 1)
  assert.match(
    tested.out,
    / 2 tcp +FAIL .*127\.0\.0\.1:1 refused\n result +THEIR SIDE: .*\n fix +tell the admin of montague/,
  )

  found(there.port('STARTTLS', 'servers'))
  await there.cli(['block', 'remove', ours])
  await here.cli(['reload'])
  const juliet = await login(there, theirs)
  await juliet.appear()
  // It may have tried by itself just before.
  const { out, error } = await here.cli(['s2s', 'retry', theirs])
  assert.match(out + error, /^Trying again: 1 link\.\n$|^parley: nothing waits for montague\.example\n/)
  assert.equal((await juliet.next('message')).child('body')?.text, 'But soft!')
  assert.equal((await here.cli(['s2s', 'list', '--failing'])).code, 0)
  await romeo.close()
  await juliet.close()
})
