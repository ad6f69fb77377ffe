/** Logs in over direct TLS with nothing but Node.js: `CA=FILE node login.mjs PORT NAME PASSWORD`; exit code 0 when it may. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'

const [port, name, password] = process.argv.slice(2)
const socket = connect({
  host: '127.0.0.1',
  port: Number(port),
  servername: 'localhost',
  ca: readFileSync(process.env.CA),
  ALPNProtocols: ['xmpp-client'],
})
const header = `<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
const sasl = 'urn:ietf:params:xml:ns:xmpp-sasl'
const secret = Buffer.from(`\0${name}\0${password}`).toString('base64')
const late = setTimeout(() => end(1, 'no answer within 30 s'), 30_000)
let said = ''

socket.setEncoding('utf8')
socket.once('secureConnect', () => socket.write(header))
socket.on('error', (error) => end(1, String(error)))
socket.on('data', (chunk) => {
  said += chunk
  if (/<\/stream:features>/.test(said)) {
    said = ''
    socket.write(`<auth xmlns='${sasl}' mechanism='PLAIN'>${secret}</auth>`)
  } else if (/<success/.test(said)) end(0)
  else if (/<failure|<stream:error/.test(said)) end(1, said)
})

function end(code, why) {
  clearTimeout(late)
  if (why) console.error(why)
  socket.destroy()
  process.exitCode = code
}
