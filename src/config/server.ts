/** The server's own options, as schemas: names, meanings, defaults and limits in one place. */
import {
  address,
  choice,
  domain,
  duration,
  file,
  flag,
  list,
  listeners,
  number,
  options,
  rate,
  required,
  secret,
  size,
  table,
} from '../base/schema.js'
import type { Node, Schema } from '../base/schema.js'
import { levels } from '../base/log.js'

/** What the configuration needs to know of a module; a `Module` is one. */
export interface ModuleDeclaration {
  readonly name: string
  readonly summary: string
  readonly options: Schema<unknown>
  /** Whether it runs when the configuration says nothing. Default: true. */
  readonly enabled?: boolean
}

/** The checked configuration. Read-only: a reload makes a new one. */
export interface ServerConfig extends Omit<Written, 'domain' | 'domains' | 'host' | 'modules' | 'listen'> {
  readonly listen: Omit<Written['listen'], 'adminSocket'> & { readonly adminSocket: string }
  /** All served domains; the first is where `user add ana` goes. Never empty. */
  readonly domains: readonly string[]
  /** One entry per served domain. */
  readonly hosts: ReadonlyMap<string, HostConfig>
}

export interface HostConfig {
  readonly domain: string
  /** Own files, or those of `[tls]`; undefined: a self-signed certificate kept in the data directory. */
  readonly tls: TlsFiles | undefined
  /** Every known module: whether it runs on this host, and its checked options. */
  readonly modules: ReadonlyMap<string, ModuleConfig>
}

export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

export interface ModuleConfig {
  readonly enabled: boolean
  readonly options: Readonly<Record<string, unknown>>
}

export const mechanisms = [
  'SCRAM-SHA-512-PLUS',
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-1-PLUS',
  'SCRAM-SHA-512',
  'SCRAM-SHA-256',
  'SCRAM-SHA-1',
  'PLAIN',
] as const

export const tokenMechanisms = ['HT-SHA-256-EXPR', 'HT-SHA-256-ENDP', 'HT-SHA-256-NONE'] as const

/** The values of the whole file as the schema reads them, before `finish` in load.ts. */
export type Written = ReturnType<typeof serverSchema> extends Schema<infer T> ? T : never

const atStart = { reload: 'restart' } as const
const onConnect = { reload: 'new connections' } as const

/** The schema of a configuration in which these modules can be set. */
export function serverSchema(modules: readonly ModuleDeclaration[]) {
  return options({
    domain: domain('localhost', 'The domain of the addresses: people are NAME@domain.', atStart),
    domains: list(
      domain(required, ''),
      [],
      'Further domains served by this server. Each may have a table [host."DOMAIN"].',
      atStart,
    ),
    dataDir: file(
      './data',
      'The folder for everything the server keeps: embedded database, own certificate, control socket.',
      atStart,
    ),
    listen,
    tls: tlsFiles('Certificate and key for every domain that has none of its own in [host."DOMAIN".tls].'),
    database,
    auth,
    c2s,
    s2s,
    component: table(
      options(
        { secret: secret(required, 'What the component proves to know (XEP-0114).', onConnect) },
        'An external component, which serves this domain.',
      ),
      'External components: [component."irc.example.org"] with the secret that it shares with the server.',
    ),
    dns,
    limits,
    log,
    modules: moduleTables(modules, 'Options of the modules, for every domain.'),
    host: table(
      options(
        {
          tls: tlsFiles('Certificate and key of this domain.'),
          modules: moduleTables(modules, 'Options of the modules on this domain only.'),
        },
        'What differs on one domain.',
      ),
      'What differs on one domain: [host."example.org".tls] and [host."example.org".modules.NAME].',
    ),
  })
}

function tlsFiles(doc: string) {
  return options(
    {
      certificate: file(
        undefined,
        'The certificate followed by its chain (PEM). Without one, a self-signed certificate is made and kept.',
        atStart,
      ),
      key: file(undefined, 'The private key of the certificate (PEM).', atStart),
    },
    `${doc} What changes in the files is taken up while running.`,
  )
}

function moduleTables(modules: readonly ModuleDeclaration[], doc: string) {
  const fields: Record<string, Node<Readonly<Record<string, unknown>>>> = {}
  for (const module of modules)
    fields[module.name] = options(
      {
        enabled: flag(module.enabled ?? true, 'Whether this module runs.'),
        ...module.options.fields,
      },
      module.summary,
    )
  return options(fields, doc)
}

const listen = options(
  {
    c2s: listeners('[::]:5222', 'Where clients connect and then start TLS.'),
    c2sTls: listeners('[::]:5223', 'Where clients connect with TLS from the first byte.'),
    c2sPlain: listeners(
      [],
      'Where clients connect without TLS, passwords readable by anyone on the way: loopback addresses only, for tests and for a proxy on this machine.',
    ),
    s2s: listeners('[::]:5269', 'Where other servers connect and then start TLS.'),
    s2sTls: listeners('[::]:5270', 'Where other servers connect with TLS from the first byte.'),
    component: listeners(
      '127.0.0.1:5347',
      'Where external components connect, without TLS: loopback addresses only. Open when there is a [component."DOMAIN"].',
    ),
    management: listeners(
      '127.0.0.1:5280',
      'Metrics and health checks over HTTP (/metrics, /healthz, /readyz). Keep it away from the internet.',
    ),
    clientCa: file(
      undefined,
      'Certificates of authorities (PEM) that vouch for clients: whoever shows a certificate of theirs gets in as the account that it names by its XmppAddr (SASL EXTERNAL). Default: clients are not asked for certificates.',
      atStart,
    ),
    adminSocket: file(
      undefined,
      'The Unix socket of the `parley` command. Default: parley.sock in the data directory.',
      atStart,
    ),
  },
  'Where the server listens: "ADDRESS:PORT", a list of them, or "off". "[::]" is every address, IPv4 too.',
)

const database = options(
  {
    url: secret(
      undefined,
      'A PostgreSQL of yours, version 15 or newer: "postgres://USER@HOST/DATABASE". Without one the server runs its own in the data directory. DATABASE_URL in the environment means the same.',
      {
        ...atStart,
        wrong: (url) =>
          isPostgresUrl(url)
            ? undefined
            : { message: 'is no PostgreSQL URL', hint: 'write "postgres://USER@HOST/DATABASE"' },
        mask: (url) =>
          isPostgresUrl(url)
            ? url
                .replace(/(:\/\/[^/@:]*):.*@/, '$1:********@')
                .replace(/([?&]password=)[^&]*/gi, '$1********')
            : '********',
      },
    ),
    password: secret(undefined, 'The password, when it is not in the URL.', atStart),
    pool: number(10, 'Connections to the database at most.', { min: 1, max: 1000, ...atStart }),
    statementTimeout: duration('10s', 'A statement that takes longer is given up.', {
      min: '100ms',
      off: true,
      ...atStart,
    }),
    connectWait: duration('60s', 'How long a start waits for a database that does not answer.', atStart),
  },
  'Where accounts, rosters and messages are kept.',
)

const auth = options(
  {
    mechanisms: list(
      choice(mechanisms, 'PLAIN', ''),
      mechanisms,
      'The SASL mechanisms offered to clients, best first. PLAIN is never offered without TLS, except on listen.c2s_plain. Accounts that came from elsewhere with keys of SCRAM-SHA-1 alone can use only that and PLAIN: offer no others until a login has made their stronger keys, which `parley user show` tells.',
      { min: 1, ...onConnect },
    ),
    anonymous: flag(
      false,
      'Let anyone in without an account, under a made-up address (SASL ANONYMOUS).',
      onConnect,
    ),
    tokenMechanisms: list(
      choice(tokenMechanisms, 'HT-SHA-256-NONE', ''),
      tokenMechanisms,
      'How clients may log in with a token that they were given for their password (XEP-0484), best first. Without HT-SHA-256-NONE it takes channel binding, which browsers have not.',
      { min: 1, ...onConnect },
    ),
    tokenLifetime: duration(
      '21d',
      'How long such a token is good for; a client that returns in time gets a new one. 0s: no tokens.',
      { max: '365d', ...onConnect },
    ),
    iterations: number(10_000, 'Rounds of hashing for passwords set from now on; stored ones keep theirs.', {
      min: 4096,
      max: 1_000_000,
    }),
  },
  'How clients prove who they are.',
)

const off = { off: true } as const

const policies = ['required', 'dialback-ok', 'blocked'] as const

/** How sure we must be of another server before anything is exchanged with it. */
export type S2sPolicy = (typeof policies)[number]

const c2s = options(
  {
    location: address(
      undefined,
      'Where clients are told to reconnect when their connection broke, for instance this one of several machines. Default: where they connected before.',
      onConnect,
    ),
  },
  'Streams of clients.',
)

const s2s = options(
  {
    policy: choice(
      policies,
      'required',
      'How other servers prove who they are. required: by a certificate that we can verify, theirs or that of the server that we call back. dialback-ok: a call back by DNS is enough. blocked: no federation.',
      onConnect,
    ),
    caFile: file(
      undefined,
      'Certificates of authorities of your own (PEM), trusted for other servers besides the public ones.',
      onConnect,
    ),
    domain: table(
      options(
        {
          policy: choice([...policies, 'default'], 'default', 'The policy for this domain.', onConnect),
          address: address(
            undefined,
            'Where its server is, "HOST:PORT", instead of what DNS says.',
            onConnect,
          ),
          tls: choice(
            ['starttls', 'direct'],
            'starttls',
            'Whether TLS begins with STARTTLS or with the first byte at that address.',
            onConnect,
          ),
        },
        'What is different for one other domain.',
      ),
      'What is different for single other domains: [s2s.domain."example.net"].',
    ),
  },
  'Federation: streams from and to the servers of other domains.',
)

const dns = options(
  {
    servers: list(
      address(required, ''),
      [],
      'The DNS servers to ask, "ADDRESS:PORT". Empty: those of the system. For DANE name one that validates, on this machine or a network of yours: what it says of DNSSEC is believed.',
      onConnect,
    ),
    timeout: duration('5s', 'How long one question may take, over all servers.', {
      min: '100ms',
      ...onConnect,
    }),
  },
  'How other servers are found.',
)

const limits = options(
  {
    c2sStanzaSize: size('256KiB', 'The largest stanza a client may send.', {
      min: '10000B',
      ...off,
      ...onConnect,
    }),
    preauthSize: size('10000B', 'The largest element before login.', { min: '1000B', ...off, ...onConnect }),
    preauthElements: number(64, 'Elements a client may send before it is logged in.', {
      min: 8,
      ...off,
      ...onConnect,
    }),
    depth: number(128, 'Elements inside elements of one stanza.', { min: 16, max: 1000, ...onConnect }),
    elements: number(10_000, 'Elements in one stanza.', { min: 100, ...off, ...onConnect }),
    attributes: number(512, 'Attributes on one element.', { min: 16, ...off, ...onConnect }),
    namespaces: number(256, 'Namespaces declared in one stanza.', { min: 16, ...off, ...onConnect }),
    loginTimeout: duration('30s', 'Time from connecting to being logged in.', {
      min: '1s',
      ...off,
      ...onConnect,
    }),
    c2sRate: rate('20KB/s', 'What a client may send in the long run; a faster one is read more slowly.', {
      bytes: true,
      ...off,
      ...onConnect,
    }),
    c2sBurst: size('512KB', 'What a client may send at once before c2s_rate holds.', {
      min: '10000B',
      ...onConnect,
    }),
    c2sStanzaRate: rate('50/s', 'Stanzas from a client in the long run.', { ...off, ...onConnect }),
    c2sStanzaBurst: number(500, 'Stanzas from a client at once before c2s_stanza_rate holds.', {
      min: 1,
      ...onConnect,
    }),
    loginFailures: number(5, 'Failed logins on one stream before it is closed.', {
      min: 1,
      ...off,
      ...onConnect,
    }),
    lockoutFailures: number(
      20,
      'Failed logins from one address to one account before more are refused for a while.',
      {
        min: 1,
        ...off,
        ...onConnect,
      },
    ),
    lockoutTime: duration('1h', 'How long they are refused.', { min: '1s', ...onConnect }),
    sessionsPerAccount: number(
      10,
      'Devices of one account that may be connected; one more is refused until another leaves.',
      {
        min: 1,
        ...off,
        ...onConnect,
      },
    ),
    connectionsPerAddress: number(50, 'Connections from one address that are not logged in yet.', {
      min: 1,
      ...off,
      ...onConnect,
    }),
    connectionRate: rate('20/s', 'New connections from one address in the long run.', {
      ...off,
      ...onConnect,
    }),
    connectionBurst: number(100, 'New connections from one address at once.', { min: 1, ...onConnect }),
    offlineMessages: number(1000, 'Messages kept for an account that is not connected.', off),
    offlineSize: size('10MiB', 'Size of the messages kept for an account that is not connected.', off),
    rosterSize: number(5000, 'Contacts in one roster.', { min: 1, ...off }),
    writePause: size('1MiB', 'A client that leaves this much unread is not read from until it catches up.', {
      min: '64KiB',
      ...off,
      ...onConnect,
    }),
    writeQueue: size('4MiB', 'A client that leaves this much unread is disconnected.', {
      min: '256KiB',
      ...off,
      ...onConnect,
    }),
    writeTimeout: duration(
      '60s',
      'A client that reads nothing for so long while data waits is disconnected.',
      {
        min: '1s',
        ...off,
        ...onConnect,
      },
    ),
    smQueue: number(
      1000,
      'Stanzas that a client may leave unacknowledged; more wait until it acknowledges.',
      {
        min: 50,
        ...onConnect,
      },
    ),
    smQueueSize: size('4MiB', 'Size of the stanzas that a client may leave unacknowledged.', {
      min: '256KiB',
      ...onConnect,
    }),
    smTime: duration('300s', 'How long a session whose connection broke waits for its client to come back.', {
      min: '10s',
      ...onConnect,
    }),
    smTimeMax: duration('24h', 'The longest time that a client may ask for instead.', {
      min: '10s',
      ...onConnect,
    }),
    parkedSessions: number(
      10,
      'Sessions of one account that wait for their clients to come back; of more the oldest ends.',
      { min: 1, ...onConnect },
    ),
    idlePing: duration('5min', 'A client silent for so long is asked whether it is still there.', {
      min: '10s',
      ...off,
      ...onConnect,
    }),
    s2sStanzaSize: size('512KiB', 'The largest stanza another server may send.', {
      min: '10000B',
      ...off,
      ...onConnect,
    }),
    s2sRate: rate('200KB/s', 'What one stream of another server may send in the long run.', {
      bytes: true,
      ...off,
      ...onConnect,
    }),
    s2sBurst: size('2MB', 'What one stream of another server may send at once before s2s_rate holds.', {
      min: '512KiB',
      ...onConnect,
    }),
    s2sQueue: number(1000, 'Stanzas that wait for one other domain; more are refused.', {
      min: 1,
      ...onConnect,
    }),
    s2sQueueSize: size('4MiB', 'Size of the stanzas that wait for one other domain.', {
      min: '64KiB',
      ...onConnect,
    }),
    s2sRetryMax: duration(
      '300s',
      'The longest pause between attempts to reach another server; the first is 1 s.',
      {
        min: '1s',
        ...onConnect,
      },
    ),
    s2sMessageTimeout: duration(
      '5min',
      'How long a message waits for an unreachable server before its sender is told.',
      {
        min: '1s',
        ...onConnect,
      },
    ),
    s2sIqTimeout: duration(
      '60s',
      'How long an iq waits for an unreachable server before its sender is told.',
      {
        min: '1s',
        ...onConnect,
      },
    ),
    s2sConnectTimeout: duration(
      '30s',
      'Time for one attempt to reach another server, from DNS to authentication.',
      {
        min: '1s',
        ...onConnect,
      },
    ),
    s2sIdle: duration('10min', 'A stream to another server without stanzas for so long is closed.', {
      min: '10s',
      ...off,
      ...onConnect,
    }),
    s2sDomains: number(100, 'Domains that may authenticate on one stream of another server.', {
      min: 1,
      ...onConnect,
    }),
    s2sDialbacks: number(10, 'Call backs under way at once for one stream of another server; more wait.', {
      min: 1,
      ...onConnect,
    }),
    s2sStreams: number(10_000, 'Streams from and to other servers.', { min: 1, ...off, ...onConnect }),
    memoryGuard: number(80, 'Percent of the memory limit of the process past which new logins are refused.', {
      min: 10,
      max: 100,
      ...off,
    }),
  },
  'What anyone may use up. "off" means no limit, where it is allowed.',
)

const log = options(
  {
    level: choice(levels, 'info', 'The least important lines written.'),
    format: choice(
      ['auto', 'json', 'text'],
      'auto',
      'One JSON object or short text per line; auto: text on a terminal.',
    ),
    addresses: choice(
      ['full', 'masked'],
      'full',
      'Whether addresses of clients are cut to their network (IPv4 /24, IPv6 /48).',
    ),
    users: choice(
      ['full', 'hashed'],
      'full',
      'Whether accounts are named in full, or by a hash that nobody can make without the secret of this server; `parley log who ana` tells it.',
    ),
  },
  'Lines go to standard output. They never hold passwords or what people write.',
)

function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url) && URL.canParse(url)
}
