/** What to do about a link that cannot be had: one fix, for the admin of this server. */
import type { Trouble } from './facts.js'

export interface Case {
  readonly trouble: Trouble
  readonly remote: string
  /** The condition of the peer's error, when it sent one. */
  readonly condition?: string | undefined
  /** The configuration says where its server is. */
  readonly overridden: boolean
}

/** One line that says what to do, or whom to ask. */
export function adviceOn({ trouble, remote, condition, overridden }: Case): string {
  const table = `[s2s.domain."${remote}"]`
  const tell = `tell the admin of ${remote}`
  switch (trouble) {
    case 'blocked':
      return `parley block list shows the block; parley block remove ends it`
    case 'policy':
      return `to allow this one domain: ${table} policy = "required"`
    case 'no such domain':
      return `check the spelling; DNS knows no server for ${remote}`
    case 'no service':
      return `nothing: the DNS of ${remote} says that it has no server for other servers`
    case 'dns failed':
      return `ask another resolver, [dns] servers = ["9.9.9.9:53"]; when that fails too, ${tell}`
    case 'dns silent':
      return `your DNS server does not answer: see /etc/resolv.conf, or set [dns] servers`
    case 'unresolved':
      return overridden ? `correct address in ${table}` : `${tell}: the host in its SRV record has no address`
    case 'refused':
      return overridden
        ? `nothing listens there: correct address in ${table}`
        : `${tell}: nothing listens there, so its SRV record names a wrong port or its server is down`
    case 'unreachable':
      return overridden
        ? `correct address in ${table}, or open the way to it in the firewalls`
        : `open outgoing TCP to that port in your firewall; when it is open, ${tell}`
    case 'silent':
      return `${tell}: something takes connections there and says nothing`
    case 'no tls':
      return `${tell}: its server must offer TLS to other servers; without TLS nothing is exchanged`
    case 'handshake':
      return overridden
        ? `see whether ${table} is right: tls = "starttls" or "direct", and the port`
        : `${tell}: its TLS is broken or older than 1.2, or its SRV record names the wrong kind of port`
    case 'certificate':
      return `${tell}, or trust its DNS instead of a certificate for this one domain: ${table} policy = "dialback-ok"`
    case 'unconfirmed':
      return `see whether DNS leads other servers to this one: parley dns check`
    case 'not taken':
      return notTaken.get(condition ?? '')?.(remote) ?? `${tell}: its log says why`
    case 'ended':
      if (overridden && ended.get(condition ?? '') === wrongPort)
        return `correct address in ${table}: that port is not for servers`
      return ended.get(condition ?? '')?.(remote) ?? `try again later; when it stays so, ${tell}`
    case 'ours':
      return 'the log of this server has the details'
  }
}

const strangeServer = (remote: string) =>
  `tell the admin of ${remote}: the server that DNS names for it does not serve it`
const unreached = () => 'it cannot reach this server: parley dns check, and open TCP 5269 to the world'
const uncertain = () =>
  'it wants a certificate that it can verify: use one of a public authority, [tls] certificate and key'
const unwanted = (remote: string) => `it does not want to speak with this server: ask the admin of ${remote}`
const wrongPort = (remote: string) =>
  `tell the admin of ${remote}: its SRV record leads to a port that is not for servers (5222 is for clients)`

type Fixes = ReadonlyMap<string, (remote: string) => string>

/** By the conditions with which dialback is answered (XEP-0220 §2.5). */
const notTaken: Fixes = new Map([
  ['not-authorized', uncertain],
  ['policy-violation', uncertain],
  ['remote-server-not-found', unreached],
  ['remote-server-timeout', unreached],
  ['item-not-found', strangeServer],
])

/** By the conditions with which a stream is ended (RFC 6120 §4.9.3). */
const ended: Fixes = new Map([
  ['host-unknown', strangeServer],
  ['host-gone', strangeServer],
  ['invalid-namespace', wrongPort],
  ['not-well-formed', wrongPort],
  ['bad-format', wrongPort],
  ['not-authorized', unwanted],
  ['policy-violation', unwanted],
  ['remote-connection-failed', unreached],
])
