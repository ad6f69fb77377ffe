/** Two servers as processes of their own, found by DNS, that speak over TLS with each other. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { NameServer } from '../support/name-server.js'
import { befriend, Client } from './support/client.js'
import { Parley, temporaryFolder } from './support/server.js'

const domains = ['capulet.example', 'montague.example'] as const
let names: NameServer
const folders: Awaited<ReturnType<typeof temporaryFolder>>[] = []
const servers: Parley[] = []

before(async () => {
  names = await NameServer.start({})
  for (const domain of domains) {
    const folder = await temporaryFolder()
    folders.push(folder)
    servers.push(
      await Parley.start({
        folder: folder.path,
        set: [
          `domain=${domain}`,
          's2s.policy=dialback-ok',
          `dns.servers=["127.0.0.1:${names.address.port}"]`,
        ],
      }),
    )
  }
  names.zone = {
    'home.example': { A: ['127.0.0.1'] },
    ...Object.fromEntries(
      domains.map((domain, index) => [
        `_xmpp-server._tcp.${domain}`,
        { SRV: [`10 5 ${servers[index]!.port('STARTTLS', 'servers')} home.example`] },
      ]),
    ),
  }
  await Promise.all(servers.map((server, index) => server.add(`romeo@${domains[index]}`)))
})
after(async () => {
  for (const server of servers) assert.equal((await server.stop()).code, 0)
  for (const folder of folders) await folder.remove()
  await names.stop()
})

function login(index: 0 | 1): Promise<Client> {
  const domain = domains[index]
  const server = servers[index]!
  const trust = server.certificate(domain).pem
  return Client.login({ port: server.port('TLS at once'), direct: true, trust, account: `romeo@${domain}` })
}

test('people of two servers become contacts, see each other and talk; the links say how they came to be', async () => {
  const [romeo, juliet] = [await login(0), await login(1)]
  await romeo.appear()
  await juliet.appear()
  await befriend(romeo, juliet)
  romeo.send(`<message to='${juliet.jid}' type='chat'><body>But soft!</body></message>`)
  assert.equal((await juliet.next('message')).child('body')?.text, 'But soft!')
  juliet.send(`<message to='${romeo.jid}' type='chat'><body>Ay me!</body></message>`)
  assert.equal((await romeo.next('message')).child('body')?.text, 'Ay me!')
  const open = await servers[0]!.logs('s2s.out.open')
  assert.deepEqual([open['peer'], open['host'], open['auth']], [domains[1], domains[0], 'dialback'])
  assert.equal((await servers[1]!.logs('s2s.in.open'))['peer'], domains[0])
  await romeo.close()
  await juliet.next('presence', ({ attrs }) => attrs['type'] === 'unavailable')
  await juliet.close()
})

test('a domain that DNS does not know is told at once', async () => {
  const romeo = await login(0)
  const answer = await romeo.get(`<ping xmlns='urn:xmpp:ping'/>`, 'nowhere.example')
  assert.ok(answer.child('error')?.child('remote-server-not-found'), answer.toString())
  await romeo.close()
})
