/** The floor: a TLS server that hands lines from one connection to another and knows nothing else. */
import { readFileSync } from 'node:fs'
import { createServer, type TLSSocket } from 'node:tls'

const [port, certificate = '', key = ''] = process.argv.slice(2)
const ends = new Map<string, TLSSocket>()
const options = { cert: readFileSync(certificate), key: readFileSync(key), ALPNProtocols: ['xmpp-client'] }

/** The first line is the connection's own name, every later one begins with the receiver's, or with `*` for everybody. */
const server = createServer(options, (socket) => {
  let rest = ''
  let name: string | undefined
  socket.setNoDelay(true)
  socket.on('error', () => undefined)
  socket.on('data', (bytes: Buffer) => {
    const text = rest + bytes.toString('latin1')
    let at = 0
    for (let close = text.indexOf('\n'); close >= 0; close = text.indexOf('\n', at)) {
      if (name === undefined) ends.set((name = text.slice(at, close)), socket)
      else if (text.startsWith('* ', at)) toAll(Buffer.from(text.slice(at, close + 1), 'latin1'))
      else ends.get(text.slice(at, text.indexOf(' ', at)))?.write(text.slice(at, close + 1), 'latin1')
      at = close + 1
    }
    rest = text.slice(at)
  })
})
function toAll(line: Buffer): void {
  for (const end of ends.values()) end.write(line)
}
server.on('tlsClientError', () => undefined)
server.listen(Number(port), '127.0.0.1')
