/** From files, environment and command line to one checked, read-only value; every mistake is reported at once. */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { nearest } from '../base/nearest.js'
import { isTable } from '../base/schema.js'
import type { Path, Reading } from '../base/schema.js'
import { asDomain, Misfit } from '../base/units.js'
import type { Address } from '../base/units.js'
import { fileAccess } from './files.js'
import type { FileAccess } from './files.js'
import { filesOf, keyOf, Layers, nameOf, optionsOf, own } from './layers.js'
import { ConfigError } from './problems.js'
import type { Problem } from './problems.js'
import { serverSchema } from './server.js'
import type {
  HostConfig,
  ModuleConfig,
  ModuleDeclaration,
  ServerConfig,
  TlsFiles,
  Written,
} from './server.js'
import { settingsOf } from './settings.js'
import type { Setting } from './settings.js'

/** What a configuration is made from. */
export interface ConfigSource {
  /** The main file; undefined: defaults, environment and `set` only. */
  readonly file?: string | undefined
  readonly env?: Readonly<Record<string, string | undefined>>
  /** `key.path=value` of the command line. */
  readonly set?: readonly string[]
  readonly modules: readonly ModuleDeclaration[]
  /** Default: the real file system seen from `/`. */
  readonly files?: FileAccess
}

export interface LoadedConfig {
  readonly config: ServerConfig
  /** Every setting with its value as TOML and its origin, in the order of the schema. */
  readonly settings: readonly Setting[]
  readonly warnings: readonly Problem[]
  /** The files it was read from. */
  readonly files: readonly string[]
}

/** Names of the environment that are no settings. */
export const reservedNames = ['PARLEY_CONFIG', 'PARLEY_DEBUG', 'PARLEY_SETUP']

/** Reads and checks everything anew. Throws `ConfigError` with all problems. */
export function loadConfig(source: ConfigSource): LoadedConfig {
  const { layers, files } = layersOf(source)
  const reader = new Reader(layers)
  reader.inheritModules()
  const schema = serverSchema(source.modules)
  const value = schema.read(layers.raw, [], reader)
  // The checks below look at whole values: they only make sense when each is right.
  const config = layers.problems.some(({ warning }) => !warning)
    ? undefined
    : finish(value, reader, source.modules)
  const wrong = layers.problems.some(({ warning }) => !warning)
  if (!config || wrong) throw new ConfigError(layers.problems)
  return { config, files, warnings: layers.problems, settings: settingsOf(schema, value, layers) }
}

/**
 * Where the control socket of a server with this configuration is, even when much of it is wrong: a server goes on
 * with the configuration it was started with. Throws `ConfigError` when the files cannot be read at all.
 */
export function controlSocketOf(source: ConfigSource): string {
  const { layers } = layersOf(source)
  const unreadable = layers.problems.filter(({ unreadable }) => unreadable)
  if (unreadable.length > 0) throw new ConfigError(unreadable, 'where the control socket is cannot be known')
  const { listen, data_dir: dataDir } = layers.raw
  const own = isTable(listen) ? listen['admin_socket'] : undefined
  if (typeof own === 'string') return layers.resolve(['listen', 'admin_socket'], own)
  const folder = layers.resolve(['data_dir'], typeof dataDir === 'string' ? dataDir : './data')
  return join(folder, socketName)
}

const socketName = 'parley.sock'

function layersOf(source: ConfigSource): { layers: Layers; files: readonly string[] } {
  const access = source.files ?? fileAccess('/', undefined)
  const layers = new Layers(serverSchema(source.modules), access)
  const files = source.file === undefined ? [] : filesOf(source.file, access)
  for (const file of files) layers.addFile(file)
  layers.addEnvironment(source.env ?? {}, access.folder, reservedNames)
  layers.addSettings(source.set ?? [], access.folder)
  return { layers, files }
}

/** Reports what the schemas find, each with its place in the file. */
class Reader implements Reading {
  /** Paths of host tables whose value was taken over from [modules]: already reported there. */
  readonly #inherited = new Set<string>()

  constructor(readonly layers: Layers) {}

  problem(path: Path, message: string, hint?: string): void {
    this.#report(path, 'value', message, hint)
  }

  warn(path: Path, message: string, hint?: string): void {
    this.#report(path, 'value', message, hint, true)
  }

  unknown(path: Path, known: readonly string[]): void {
    if (this.#inherited.has(keyOf(path))) return
    const origin = this.layers.originOf(path)
    const key = path.at(-1) ?? ''
    const beside = nearest(key, known)
    const elsewhere = optionsOf(this.layers.schema).find(([other]) => other.at(-1) === key)?.[0]
    const meant = beside ? [...path.slice(0, -1), beside] : elsewhere
    const keys = known.length > 0 && known.length <= 12 ? `known here: ${known.join(', ')}` : undefined
    this.layers.problems.push({
      where: origin?.key ?? '',
      message: `unknown key  ${nameOf(path)}`,
      hint: meant ? `did you mean  ${nameOf(meant)} ?` : keys,
      order: origin?.order ?? [0, 0],
    })
  }

  secret(path: Path, file: string): string | undefined {
    const { files } = this.layers
    const text = this.#content(path, file)
    if (text === undefined) return undefined
    // One line break at the end is what editors and `echo` leave; it is no part of the secret.
    const secret = text.replace(/\r?\n$/, '')
    if (secret.trim() === '')
      this.#report(path, 'file', `${file}: is empty`, 'write the secret into it, nothing else')
    else if (secret.includes('\n'))
      this.#report(path, 'file', `${file}: has more than one line`, 'a secret is one line: remove the others')
    else {
      const mode = files.stat(file)?.mode ?? 0
      if (mode & 0o004 && !file.startsWith('/run/secrets/'))
        this.#report(
          path,
          'file',
          `${file}: everyone on this machine can read it`,
          `fix  chmod 640 ${file}`,
          true,
        )
      if (secret !== secret.trim())
        this.#report(
          path,
          'file',
          `${file}: begins or ends with a space, which is taken as part of it`,
          undefined,
          true,
        )
      return secret
    }
    return undefined
  }

  /** What keeps a file of certificates (PEM) from being one. */
  certificates(path: Path, file: string): void {
    const text = this.#content(path, file)
    if (text === undefined) return
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    if (blocks.length === 0)
      this.#report(
        path,
        'file',
        `${file}: there is no certificate in it`,
        'it must hold text that begins with -----BEGIN CERTIFICATE-----',
      )
    const damaged = blocks.findIndex((block) => !isCertificate(block)) + 1
    if (damaged > 0)
      this.#report(path, 'file', `${file}: certificate ${damaged} in it is damaged`, 'copy the file again')
  }

  resolve(path: Path, file: string): string {
    return this.layers.resolve(path, file)
  }

  /** Gives each host's module tables what [modules] says, where they say nothing themselves. */
  inheritModules(): void {
    const { raw, origins } = this.layers
    const shared = own(raw, 'modules')
    if (!isTable(shared)) return
    for (const domain of this.#writtenDomains()) {
      const hosts = tableIn(raw, 'host')
      const modules = hosts && tableIn(hosts, domain) && tableIn(tableIn(hosts, domain) ?? {}, 'modules')
      if (!modules) continue
      for (const [name, options] of Object.entries(shared)) {
        if (!Object.hasOwn(modules, name)) this.#inherited.add(keyOf(['host', domain, 'modules', name]))
        const target = isTable(options) ? tableIn(modules, name) : undefined
        if (!target) continue
        for (const [key, value] of Object.entries(options as Record<string, unknown>)) {
          if (Object.hasOwn(target, key)) continue
          target[key] = value
          const path = keyOf(['host', domain, 'modules', name, key])
          const origin = origins.get(keyOf(['modules', name, key]))
          if (origin) origins.set(path, origin)
          this.#inherited.add(path)
        }
      }
    }
  }

  /** The keys of [host], and all domains that could have one there. */
  #writtenDomains(): Set<string> {
    const { raw } = this.layers
    const hosts = own(raw, 'host')
    const many = own(raw, 'domains')
    const written = [
      own(raw, 'domain') ?? (many === undefined ? 'localhost' : undefined),
      ...(Array.isArray(many) ? (many as unknown[]) : [many]),
    ]
    return new Set([...(isTable(hosts) ? Object.keys(hosts) : []), ...written.flatMap(domainOf)])
  }

  #content(path: Path, file: string): string | undefined {
    const { files } = this.layers
    try {
      return files.read(file)
    } catch (error) {
      const { message, hint } = files.explain(file, error)
      this.#report(path, 'file', `${file}: ${message}`, hint)
      return undefined
    }
  }

  #report(path: Path, at: 'value' | 'file', message: string, hint?: string, warning = false): void {
    if (this.#inherited.has(keyOf(path))) return
    const origin = this.layers.originOf(path)
    const exact = this.layers.origins.has(keyOf(path))
    const named = at === 'file' || (origin?.named && exact)
    this.layers.problems.push({
      where: origin?.value ?? '',
      message: `${named ? '' : `${nameOf(path)} `}${message}`,
      hint,
      warning,
      order: origin?.order ?? [0, 0],
    })
  }
}

/** The checks that concern several values, and the shape the rest of the server reads. */
function finish(
  written: Written,
  reader: Reader,
  declared: readonly ModuleDeclaration[],
): ServerConfig | undefined {
  const { domain, domains: further, host: hostTables, modules, ...rest } = written
  const named = reader.layers.originOf(['domain']) !== undefined || further.length === 0
  const domains = [...new Set([...(named ? [domain] : []), ...further])]
  for (const name of hostTables.keys()) {
    if (domains.includes(domainOf(name)[0] ?? '')) continue
    const close = nearest(name, domains)
    reader.problem(
      ['host', name],
      'is not one of the served domains',
      close ? `did you mean  ${nameOf(['host', close])} ?` : `add "${name}" to domains, or remove the table`,
    )
  }
  checkListeners(written, reader)
  const peers = byDomain(rest.s2s.domain, ['s2s', 'domain'], reader)
  const components = byDomain(rest.component, ['component'], reader)
  for (const name of components.keys())
    if (domains.includes(name))
      reader.problem(
        ['component', name],
        'is a domain of this server itself',
        'give the component a domain of its own',
      )
  if (rest.s2s.caFile !== undefined) reader.certificates(['s2s', 'ca_file'], rest.s2s.caFile)
  const shared = tlsOf(rest.tls, ['tls'], reader)
  const hosts = new Map(
    domains.map((name): [string, HostConfig] => {
      const [key, own] = [...hostTables].find(([key]) => domainOf(key)[0] === name) ?? [name, undefined]
      const tls = own && tlsOf(own.tls, ['host', key, 'tls'], reader)
      const chosen = modulesOf(own?.modules ?? modules)
      const services = servicesOf(name, chosen, declared)
      return [
        name,
        {
          domain: name,
          tls: tls ?? shared,
          modules: chosen,
          services: [...new Set(services.map((service) => service.domain))],
        },
      ]
    }),
  )
  checkServices(hosts.values(), declared, components, reader)
  const adminSocket = rest.listen.adminSocket ?? join(rest.dataDir, socketName)
  return {
    ...rest,
    s2s: { ...rest.s2s, domain: peers },
    component: components,
    listen: { ...rest.listen, adminSocket },
    domains,
    hosts,
  }
}

interface NamedService {
  readonly domain: string
  readonly module: string
}

function servicesOf(
  domain: string,
  chosen: HostConfig['modules'],
  declared: readonly ModuleDeclaration[],
): readonly NamedService[] {
  return declared.flatMap((module) => {
    const { enabled, options } = chosen.get(module.name) ?? { enabled: false, options: {} }
    const own = enabled ? (module.serviceDomains?.(domain, options) ?? []) : []
    return own.map((service) => ({ domain: service, module: module.name }))
  })
}

/** One domain is one service, of one host. */
function checkServices(
  hosts: Iterable<HostConfig>,
  declared: readonly ModuleDeclaration[],
  components: ReadonlyMap<string, unknown>,
  reader: Reader,
): void {
  const all = [...hosts]
  const taken = new Map<string, string>([
    ...[...components.keys()].map((name): [string, string] => [
      name,
      `the component of ${nameOf(['component', name])}`,
    ]),
    ...all.map((host): [string, string] => [host.domain, 'a domain of this server itself']),
  ])
  for (const host of all)
    for (const { domain, module } of servicesOf(host.domain, host.modules, declared)) {
      const other = taken.get(domain)
      if (other !== undefined)
        reader.problem(
          ['modules', module],
          `on ${host.domain} cannot answer at ${domain}: that is ${other}`,
          `give it another domain in ${nameOf(['host', host.domain, 'modules', module])}, or write enabled = false there`,
        )
      else taken.set(domain, `where module ${module} of ${host.domain} answers`)
    }
}

/** A table of domains under their prepared names. */
function byDomain<T>(table: ReadonlyMap<string, T>, path: Path, reader: Reader): ReadonlyMap<string, T> {
  const prepared = new Map<string, T>()
  for (const [key, value] of table) {
    const [name] = domainOf(key)
    if (name === undefined)
      reader.problem([...path, key], 'is not a domain', 'write a name such as "example.net"')
    else if (prepared.has(name)) reader.problem([...path, key], `is "${name}", which is there already`)
    else prepared.set(name, value)
  }
  return prepared
}

function checkListeners({ listen }: Written, reader: Reader): void {
  for (const { host, port } of listen.c2sPlain)
    if (!isLoopback(host))
      reader.problem(
        ['listen', 'c2s_plain'],
        `= "${host}:${port}"  is not a loopback address: passwords would cross the network in clear text`,
        `write "127.0.0.1:${port}", or use listen.c2s, which has TLS`,
      )
  for (const { host, port } of listen.component)
    if (!isLoopback(host))
      reader.problem(
        ['listen', 'component'],
        `= "${host}:${port}"  is not a loopback address: components connect without TLS`,
        `write "127.0.0.1:${port}", and a tunnel for a component on another machine`,
      )
  const seen = new Map<string, string>()
  const all: [string, readonly Address[]][] = [
    ['c2s', listen.c2s],
    ['c2s_tls', listen.c2sTls],
    ['c2s_plain', listen.c2sPlain],
    ['s2s', listen.s2s],
    ['s2s_tls', listen.s2sTls],
    ['component', listen.component],
    ['management', listen.management],
  ]
  for (const [key, addresses] of all)
    for (const { host, port } of addresses) {
      const other = seen.get(`${host} ${port}`)
      if (other !== undefined && port !== 0)
        reader.problem(
          ['listen', key],
          `uses port ${port}, which listen.${other} has already`,
          'give each its own port',
        )
      seen.set(`${host} ${port}`, key)
    }
}

function tlsOf(
  { certificate, key }: { certificate: string | undefined; key: string | undefined },
  path: Path,
  reader: Reader,
): TlsFiles | undefined {
  if (certificate !== undefined && key !== undefined) return { certificate, key }
  if (certificate !== undefined)
    reader.problem([...path, 'certificate'], 'has no key', `write ${nameOf([...path, 'key'])} too`)
  if (key !== undefined)
    reader.problem([...path, 'key'], 'has no certificate', `write ${nameOf([...path, 'certificate'])} too`)
  return undefined
}

function modulesOf(
  written: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): ReadonlyMap<string, ModuleConfig> {
  return new Map(
    Object.entries(written).map(([name, { enabled, ...options }]): [string, ModuleConfig] => [
      name,
      { enabled: enabled === true, options },
    ]),
  )
}

function isCertificate(pem: string): boolean {
  try {
    void new X509Certificate(pem)
    return true
  } catch {
    return false
  }
}

/** The domain a text stands for, if any. */
function domainOf(text: unknown): string[] {
  if (typeof text !== 'string') return []
  try {
    return [asDomain(text)]
  } catch (fault) {
    if (fault instanceof Misfit) return []
    throw fault
  }
}

/** The table `key` of `table`, made when missing; undefined when something else is there. */
function tableIn(table: Record<string, unknown>, key: string): Record<string, unknown> | undefined {
  if (!Object.hasOwn(table, key)) table[key] = Object.create(null) as Record<string, unknown>
  const there = table[key]
  return isTable(there) ? there : undefined
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
