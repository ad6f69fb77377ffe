/** The servers of one setting, each under a domain of its own that a name server on loopback knows. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { NameServer } from '../../dist/test/support/name-server.js'
import { peers } from './peers.mjs'
import { freePorts, parley, run } from './server.mjs'

/** How each peer sees the proofs: what it took from us, what we took from it. */
const both = (method) => ({ inbound: [method], outbound: [method] })

/**
 * How servers find each other and prove who they are. `purposes`: certificates of a test CA for these, else self-signed ones;
 * `dialback`: the peers have it; `direct`: TLS from the first byte, and no other way in DNS; `bidi`: Prosody has streams that
 * carry stanzas both ways (XEP-0288).
 */
export const settings = {
  dialback: {
    dialback: true,
    proofs: { prosody: both('dialback'), ejabberd: both('dialback') },
  },
  external: {
    purposes: 'serverAuth,clientAuth',
    proofs: { prosody: both('EXTERNAL'), ejabberd: both('EXTERNAL') },
  },
  direct: {
    purposes: 'serverAuth,clientAuth',
    direct: true,
    bidi: true,
    proofs: { prosody: { inbound: ['EXTERNAL'], outbound: [] }, ejabberd: both('EXTERNAL') },
  },
  // What public authorities issue. ejabberd 23.01 takes none as a client's: it is called back instead.
  'server certificates': {
    purposes: 'serverAuth',
    dialback: true,
    proofs: {
      prosody: both('EXTERNAL'),
      ejabberd: { inbound: ['dialback'], outbound: ['EXTERNAL'] },
    },
  },
}

/** Starts the servers of these kinds ('parley', 'prosody', 'ejabberd'). The result has { servers: by kind, stop }. */
export async function startWorld(kinds, folder, { purposes, direct, dialback, bidi }) {
  mkdirSync(folder, { recursive: true })
  const places = await Promise.all(kinds.map((kind) => place(kind, join(folder, kind))))
  const authority = purposes ? makeAuthority(folder) : undefined
  for (const at of places) certify(at, authority, purposes)
  const names = await startNames(places, direct)
  const servers = {}
  const stop = async () => {
    await Promise.all(Object.values(servers).map((server) => server.stop()))
    await names.stop()
  }
  const started = await Promise.allSettled(
    places.map(async (at) => {
      const how = await describe({ ...at, dialback, bidi, nameServer: names.address.port })
      const server = await run(how, at)
      const proofs = (other) => how.proofs(server.text(), other)
      servers[at.kind] = Object.assign(server, { kind: at.kind, rooms: at.rooms, call: how.call, proofs })
    }),
  )
  const failure = started.find(({ status }) => status === 'rejected')
  if (!failure) return { servers, stop }
  await stop()
  throw failure.reason
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
function certify(at, authority, purposes) {
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
    `extendedKeyUsage=${purposes}`,
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
