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
  required,
  secret,
  table,
} from '../base/schema.js'
import type { Node, Schema } from '../base/schema.js'
import { levels } from '../base/log.js'
import { limits } from './limits.js'

/** What the configuration needs to know of a module; a `Module` is one. */
export interface ModuleDeclaration {
  readonly name: string
  readonly summary: string
  readonly options: Schema<unknown>
  /** Whether it runs when the configuration says nothing. Default: true. */
  readonly enabled?: boolean
  /** Domains of their own at which it answers on the host of `domain`. */
  serviceDomains?(domain: string, options: Readonly<Record<string, unknown>>): readonly string[]
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
  /** Domains at which its modules answer; nobody else does. */
  readonly services: readonly string[]
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
