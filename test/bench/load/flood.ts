/** A server that wants to be believed as 300 invented domains on one stream, and how long honest logins take meanwhile. */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Client, pool, type Target } from './client.js'
import { add, sleep, type Figures, type Job, type Outcome } from './job.js'
import { inventedDomains } from './server.js'

/** Logins of clients of the server under load, a few at a time. */
const logins = 40
const atOnce = 4
const patience = 60_000

export async function flood(job: Job, target: Target): Promise<Outcome> {
  const { far, federationPort: port } = job
  if (!far || port === undefined) throw new Error('there is no other server')
  const login = async (index: number): Promise<number> => {
    const client = new Client(target, `user${index % 20}`)
    const start = performance.now()
    await client.login()
    const took = performance.now() - start
    await client.logout()
    return took
  }
  await pool(300, 8, login)
  const figures: Figures = {}
  for (let run = 0; run < job.runs; run++) {
    const [liar, honest] = [await openStream(port, job.domain), await openStream(port, job.domain)]
    liar.write(inventedDomains.map((domain) => request(domain, job.domain)).join(''))
    const start = performance.now()
    // The key is none, but to find that out costs the same as with one.
    honest.write(request(far.domain, job.domain))
    const answered = hears(honest, '<db:result').then(() => add(figures, 'proof', performance.now() - start))
    const took: number[] = []
    await pool(logins, atOnce, async (index) => took.push(await login(index)))
    add(figures, 'login', Math.max(...took))
    await answered
    liar.destroy()
    honest.destroy()
    await sleep(1000)
  }
  return { figures, lost: 0 }
}

function request(from: string, to: string): string {
  return `<db:result from='${from}' to='${to}'>0123456789abcdef</db:result>`
}

/** A stream to a server as another server opens it, up to the features under TLS. */
async function openStream(port: number, to: string): Promise<Socket> {
  const plain = connectTcp({ host: '127.0.0.1', port, noDelay: true })
  await once(plain, 'connect')
  const header =
    `<?xml version='1.0'?><stream:stream to='${to}' from='${inventedDomains[0]}' version='1.0' xmlns='jabber:server' ` +
    `xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'>`
  plain.write(header)
  await hears(plain, '</stream:features>')
  plain.write(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await hears(plain, '<proceed')
  const socket = connectTls({ socket: plain, servername: to, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  socket.write(header)
  await hears(socket, '</stream:features>')
  return socket
}

/** Waits for a text; what came before it and with it is passed over. */
function hears(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let heard = ''
    const settle = (error?: Error): void => {
      clearTimeout(timer)
      socket.off('data', read).off('close', closed)
      if (error) reject(error)
      else resolve()
    }
    const closed = (): void => settle(new Error(`closed before ${text}: ${heard.slice(-200)}`))
    const timer = setTimeout(() => settle(new Error(`no ${text}: ${heard.slice(-200)}`)), patience)
    const read = (bytes: Buffer): void => {
      heard += bytes.toString('latin1')
      if (heard.includes(text)) settle()
    }
    socket.on('data', read).on('close', closed).on('error', settle)
  })
}
