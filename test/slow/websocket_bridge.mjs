/** Brings WebSocket clients (RFC 7395) to a server that speaks XMPP over TLS: a tool of these tests, not of the server. */
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { pathToFileURL } from 'node:url'

const packages = createRequire(join(process.env.CLIENTS_DIR, 'package.json'))
const { WebSocketServer } = packages('ws')
const { default: Parser } = await import(pathToFileURL(packages.resolve('@xmpp/xml/lib/Parser.js')).href)

const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'
const STREAMS = 'http://etherx.jabber.org/streams'

/**
 * Listens on a free loopback port for clients of `domain`, whose server is at `port` with direct TLS and the certificate
 * in the file `ca`. The result has { url, cut(), close() }: `cut` breaks all connections without a word.
 */
export async function openBridge({ domain, port, ca }) {
  const listener = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: (offered) => offered.has('xmpp') && 'xmpp',
  })
  await new Promise((resolve) => listener.once('listening', resolve))
  const lines = new Set()
  listener.on('connection', (client) => {
    const server = connect({ host: '127.0.0.1', port, servername: domain, ca: readFileSync(ca) })
    const line = { client, server }
    lines.add(line)
    carry(client, server)
    client.once('close', () => lines.delete(line))
  })
  return {
    url: `ws://127.0.0.1:${listener.address().port}`,
    cut() {
      for (const { client, server } of lines) {
        server.destroy()
        client.terminate()
      }
    },
    close: () => new Promise((resolve) => listener.close(resolve)),
  }
}

/** Frames one way, a stream the other; each <open/> begins a new stream (RFC 7395 §3.4). */
function carry(client, server) {
  let parser
  const say = (element) => client.readyState === client.OPEN && client.send(String(element))
  client.on('message', (data) => {
    const frame = String(data)
    const [, name, attributes] = /^<(?:\w+:)?(\w+)([^>]*?)\/?>/s.exec(frame)
    if (!frame.includes(FRAMING)) return server.write(frame)
    if (name === 'close') return server.end('</stream:stream>')
    parser = framed(say)
    const kept = attributes.replace(/\sxmlns=(["']).*?\1/, '')
    server.write(
      `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='${STREAMS}'${kept}>`,
    )
  })
  server.setEncoding('utf8')
  server.on('data', (text) => parser?.write(text))
  server.on('error', () => {})
  server.once('close', () => client.close())
  client.once('close', () => server.destroy())
}

/** A parser of the server's stream that says each element in a frame of its own (RFC 7395 §3.3). */
function framed(say) {
  const parser = new Parser()
  parser.on('start', ({ attrs: { from, id, version, 'xml:lang': lang } }) => {
    const given = Object.entries({ from, id, version, 'xml:lang': lang })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => ` ${name}='${value}'`)
    say(`<open xmlns='${FRAMING}'${given.join('')}/>`)
  })
  parser.on('element', (element) => {
    if (element.name.startsWith('stream:')) element.attrs['xmlns:stream'] = STREAMS
    element.attrs.xmlns ??= 'jabber:client'
    if (element.is('features', STREAMS)) withoutBinding(element)
    element.parent = null
    say(element)
  })
  parser.on('end', () => say(`<close xmlns='${FRAMING}'/>`))
  return parser
}

/** The bridge is in the middle, and what binds a login to the TLS connection would find it there. */
function withoutBinding(features) {
  for (const list of features.getChildElements())
    list.children = list.children.filter((child) => !String(child?.children?.[0]).endsWith('-PLUS'))
}
