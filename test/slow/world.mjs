/** The servers of one setting, each under a domain of its own that a name server on loopback knows. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NameServer } from '../../dist/test/support/name-server.js'
import { newAuthority, purposes as uses, selfSigned } from '../../dist/test/support/test-ca.js'
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
    purposes: [uses.server, uses.client],
    proofs: { prosody: both('EXTERNAL'), ejabberd: both('EXTERNAL') },
  },
  direct: {
    purposes: [uses.server, uses.client],
    direct: true,
    bidi: true,
    proofs: { prosody: { inbound: ['EXTERNAL'], outbound: [] }, ejabberd: both('EXTERNAL') },
  },
  // What public authorities issue. ejabberd 23.01 takes none as a client's: it is called back instead.
  'server certificates': {
    purposes: [uses.server],
    dialback: true,
    proofs: {
      prosody: both('EXTERNAL'),
      ejabberd: { inbound: ['dialback'], outbound: ['EXTERNAL'] },
    },
  },
}

/** Both peers want certificates that they can verify, and nothing else; ours has none. */
export const refused = { purposes: [uses.server, uses.client], doubtful: 'parley' }

/** Starts the servers of these kinds ('parley', 'prosody', 'ejabberd'). The result has { servers: by kind, stop }. */
export async function startWorld(kinds, folder, { purposes, direct, dialback, bidi, doubtful }) {
  mkdirSync(folder, { recursive: true })
  const places = await Promise.all(kinds.map((kind) => place(kind, join(folder, kind))))
  const authority = purposes ? newAuthority('Verona test authority') : undefined
  for (const at of places) certify(at, authority, purposes, at.kind === doubtful)
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
  return { kind, folder, domain, rooms: `${kind === 'parley' ? 'conference' : 'rooms'}.${domain}`, ...ports }
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

/** Gives the server its certificate, self-signed without an authority, and that of the authority that it is to trust. */
function certify(at, authority, purposes, isDoubtful) {
  const wish = { commonName: at.domain, dns: at.rooms ? [at.domain, at.rooms] : [at.domain] }
  const issued =
    authority && !isDoubtful ? authority.issue({ ...wish, extendedKeyUsage: purposes }) : selfSigned(wish)
  const write = (name, text) => {
    const file = join(at.folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  at.key = write('key.pem', issued.keyPem)
  at.certificate = write('certificate.pem', issued.pem)
  if (authority) at.ca = write('ca.pem', authority.pem)
}
