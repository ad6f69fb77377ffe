/** The servers of one setting, each under a domain of its own that a name server on loopback knows. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { NameServer } from '../../dist/test/support/name-server.js'
import { peers } from './peers.mjs'
import { freePorts, parley, run } from './server.mjs'

/**
 * How servers find each other and prove who they are. `ca`: certificates of a test CA and SASL EXTERNAL, else self-signed ones and
 * dialback; `direct`: TLS from the first byte, and no other way in DNS.
 */
export const settings = {
  dialback: { ca: false, direct: false },
  external: { ca: true, direct: false },
  direct: { ca: true, direct: true },
}

/** Starts the servers of these kinds ('parley', 'prosody', 'ejabberd'). The result has { servers: by kind, stop }. */
export async function startWorld(kinds, folder, { ca, direct }) {
  mkdirSync(folder, { recursive: true })
  const places = await Promise.all(kinds.map((kind) => place(kind, join(folder, kind))))
  const authority = ca ? makeAuthority(folder) : undefined
  for (const at of places) certify(at, authority)
  const names = await startNames(places, direct)
  const servers = {}
  const stop = async () => {
    await Promise.all(Object.values(servers).map((server) => server.stop()))
    await names.stop()
  }
  try {
    await Promise.all(
      places.map(async (at) => {
        const how = await describe({ ...at, nameServer: names.address.port })
        const server = await run(how, at)
        const proofs = (other) => how.proofs(server.text(), other)
        servers[at.kind] = Object.assign(server, { kind: at.kind, rooms: at.rooms, call: how.call, proofs })
      }),
    )
    return { servers, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function place(kind, folder) {
  mkdirSync(folder)
  const [port, s2sPort, s2sTlsPort, management] = await freePorts(4)
  const domain = `${kind}.example`
  const ports = { port, s2sPort, s2sTlsPort, management, apiPort: management }
  return { kind, folder, domain, rooms: kind === 'parley' ? undefined : `rooms.${domain}`, ...ports }
}

function describe(at) {
  if (at.kind !== 'parley') return peers[at.kind](at)
  const set = [
    `dns.servers=127.0.0.1:${at.nameServer}`,
    `tls.certificate=${at.certificate}`,
    `tls.key=${at.key}`,
    `s2s.policy=${at.ca ? 'required' : 'dialback-ok'}`,
    ...(at.ca ? [`s2s.ca_file=${at.ca}`] : []),
    'limits.s2s_retry_max=2s',
    'log.level=debug',
  ]
  return parley({ ...at, set })
}

/**
 * SRV records of what the setting wants, at a host that every resolver knows: ejabberd asks Erlang's for SRV records, which goes
 * where it is told, but the C library's for addresses.
 */
function startNames(places, direct) {
  const zone = { localhost: { A: ['127.0.0.1'] } }
  for (const { domain, rooms, s2sPort, s2sTlsPort } of places)
    for (const name of rooms ? [domain, rooms] : [domain])
      if (direct) zone[`_xmpps-server._tcp.${name}`] = { SRV: [`0 0 ${s2sTlsPort} localhost`] }
      else zone[`_xmpp-server._tcp.${name}`] = { SRV: [`0 0 ${s2sPort} localhost`] }
  return NameServer.start(zone)
}

/** What the certificate of a server is signed with. */
function makeAuthority(folder) {
  const [key, certificate] = [join(folder, 'ca.key'), join(folder, 'ca.pem')]
  const request = ['req', '-x509', ...newKey(key), '-days', '2', '-subj', '/CN=Verona test authority']
  openssl(...request, '-addext', 'basicConstraints=critical,CA:TRUE', '-out', certificate)
  return { key, certificate }
}

/** Gives the server its certificate, and a copy of the authority's, which everybody may read. */
function certify(at, authority) {
  const names = [at.domain, ...(at.rooms ? [at.rooms] : [])].map((name) => `DNS:${name}`).join(',')
  at.key = join(at.folder, 'key.pem')
  at.certificate = join(at.folder, 'certificate.pem')
  const subject = ['-subj', `/CN=${at.domain}`, '-addext', `subjectAltName=${names}`]
  if (!authority) {
    openssl('req', '-x509', ...newKey(at.key), '-days', '2', ...subject, '-out', at.certificate)
    return
  }
  at.ca = join(at.folder, 'ca.pem')
  execFileSync('cp', [authority.certificate, at.ca])
  const request = join(at.folder, 'request.pem')
  openssl(
    'req',
    '-new',
    ...newKey(at.key),
    ...subject,
    '-addext',
    'extendedKeyUsage=serverAuth,clientAuth',
    '-out',
    request,
  )
  const sign = ['-CA', authority.certificate, '-CAkey', authority.key, '-CAcreateserial']
  openssl(
    'x509',
    '-req',
    '-in',
    request,
    ...sign,
    '-copy_extensions',
    'copy',
    '-days',
    '2',
    '-out',
    at.certificate,
  )
}

const newKey = (key) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key]
const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
