/** Who may import whom, and where time, chance, processes and SQL may appear: rules as data. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const top = join(dirname(fileURLToPath(import.meta.url)), '../..')
const src = join(top, 'src')

/** What each folder may import besides itself. Nothing points downwards. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  base: [],
  xml: ['base'],
  sasl: ['base'],
  config: ['base'],
  stanza: ['base', 'xml'],
  storage: ['base', 'stanza', 'xml'],
  archive: ['base', 'stanza', 'xml', 'storage'],
  stream: ['base', 'xml', 'stanza'],
  tls: ['base', 'sasl', 'config', 'stream'],
  session: ['base', 'xml', 'stanza', 'storage', 'stream'],
  host: ['base', 'xml', 'stanza', 'storage', 'config', 'stream', 'session'],
  router: ['base', 'xml', 'stanza', 'storage', 'session', 'host'],
  modules: ['base', 'xml', 'stanza', 'storage', 'archive', 'stream', 'session', 'host', 'sasl'],
  c2s: ['base', 'xml', 'sasl', 'stanza', 'storage', 'stream', 'tls', 'session', 'host', 'router'],
  dns: ['base'],
  s2s: [
    'base',
    'xml',
    'sasl',
    'stanza',
    'config',
    'storage',
    'stream',
    'tls',
    'session',
    'host',
    'router',
    'dns',
  ],
  http: ['base', 'config', 'stanza', 'storage', 'session', 'host', 'router', 'c2s', 'stream'],
  admin: ['base', 'config', 'xml', 'stanza', 'storage', 'session', 'host', 'router', 'dns', 's2s'],
}

interface Source {
  readonly path: string
  readonly folder: string
  readonly text: string
  readonly imports: readonly string[]
}

const sources: readonly Source[] = readdirSync(src, { recursive: true })
  .map(String)
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
  .map((path) => {
    const text = readFileSync(join(src, path), 'utf8')
    return { path, folder: folderOf(path), text, imports: importsOf(path, text) }
  })

/** Files directly in src see everything; their folder is ''. */
function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : ''
}

function importsOf(path: string, text: string): readonly string[] {
  const found = text.matchAll(/^(?:import|export)\s[^'"]*from\s+'(\.[^']+)'/gm)
  return [...found].map(([, target]) => normalize(join(dirname(path), target!)).replace(/\.js$/, '.ts'))
}

/** The breach, in words, or undefined. */
function breach(folder: string, target: string): string | undefined {
  const there = folderOf(target)
  if (folder === '' || there === folder) return undefined
  return allowed[folder]?.includes(there)
    ? undefined
    : `${folder} must not import ${there || 'src'} (${target})`
}

test('imports point up the table only', () => {
  const breaches = sources.flatMap(({ path, folder, imports }) =>
    imports.flatMap((target) => {
      const found = breach(folder, target)
      return found ? [`${path}: ${found}`] : []
    }),
  )
  assert.deepEqual(breaches, [])
})

test('the rule sees a wrong import', () => {
  assert.match(breach('stanza', 'router/router.ts') ?? '', /stanza must not import router/)
  assert.match(breach('modules', 'c2s/c2s.ts') ?? '', /modules must not import c2s/)
  assert.equal(breach('c2s', 'host/host.ts'), undefined)
})

test('a module sees another module only through its api.ts', () => {
  const wrong = sources
    .filter(({ folder, path }) => folder === 'modules' && path !== 'modules/index.ts')
    .flatMap(({ path, imports }) =>
      imports
        .filter((target) => folderOf(target) === 'modules' && !target.endsWith('api.ts'))
        .filter((target) => dirname(target) === 'modules' || dirname(target) !== dirname(path))
        .map((target) => `${path} imports ${target}`),
    )
  assert.deepEqual(wrong, [])
})

test('time, chance and the process come in through the front door', () => {
  const direct = /\b(?:process\.|Date\.now\(|Math\.random\(|setTimeout\(|setInterval\(|randomUUID\()/
  const doors = (path: string) => path.startsWith('base/') || path === 'main.ts'
  const wrong = sources
    .filter(({ path, text }) => !doors(path) && direct.test(withoutComments(text)))
    .map(({ path }) => path)
  assert.deepEqual(wrong, [])
})

test('SQL stands in storage and in postgres.ts of a module', () => {
  const sql = /\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\s+[a-z_"(*]/
  const wrong = sources
    .filter(
      ({ path, text }) =>
        !path.startsWith('storage/') && !path.endsWith('/postgres.ts') && sql.test(withoutComments(text)),
    )
    .map(({ path }) => path)
  assert.deepEqual(wrong, [])
})

test('every folder of src is in the table, and every file opens with a sentence that says what it is', () => {
  const folders = new Set(sources.map(({ folder }) => folder))
  folders.delete('')
  assert.deepEqual(
    [...folders].filter((folder) => !(folder in allowed)),
    [],
  )
  const silent = sources.filter(({ text }) => !/^(?:#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path)
  assert.deepEqual(silent, [])
})

test('no folder is part of an import cycle of files', () => {
  const byPath = new Map(sources.map((source) => [source.path, valueImports(source)]))
  const cycles: string[] = []
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      return
    }
    if (done.has(path)) return
    for (const next of byPath.get(path) ?? []) walk(next, [...trail, path])
    done.add(path)
  }
  for (const path of byPath.keys()) walk(path, [])
  assert.deepEqual(cycles, [])
})

/** Imports that exist at run time; types only vanish. */
function valueImports({ path, text }: Source): readonly string[] {
  return importsOf(path, text.replaceAll(/^(?:import|export) type [^\n]*(?:\n[^\n]*)*?from '[^']+'/gm, ''))
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/[^\n]*/g, '')
}

assert.ok(relative(top, src) === 'src')
