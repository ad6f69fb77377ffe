/** The documents that are made from the code. Run by itself it writes them; generated.test.ts compares. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { metricsReference } from './metrics.js'
import { composeFile } from '../src/admin/compose.js'
import { exampleConfig, optionReference } from '../src/config/reference.js'
import { modules } from '../src/modules/index.js'
import { doap, xepTable } from '../src/modules/table.js'

const top = join(dirname(fileURLToPath(import.meta.url)), '../..')

export interface Generated {
  readonly path: string
  /** The file as it should be, given the file as it is ('' when there is none). */
  wanted(present: string): string
}

export const generated: readonly Generated[] = [
  { path: 'config/parley.doap', wanted: () => doap(modules, packageFacts().description) },
  { path: 'config/parley.example.toml', wanted: () => exampleConfig(modules) },
  { path: 'config/options.md', wanted: () => optionReference(modules) },
  { path: 'config/metrics.md', wanted: () => metricsReference(join(top, 'src')) },
  { path: 'docker-compose.yml', wanted: () => dockerCompose() },
  { path: 'README.md', wanted: (present) => present && between(present, 'xeps', xepTable(modules)) },
]

/** For a checkout: what `parley init` writes, but built here, the domain from the environment. */
function dockerCompose(): string {
  return composeFile({
    heading: [
      'Parley and its PostgreSQL, hardened. Once, beside this file:',
      '',
      '  mkdir -m 750 secrets && openssl rand -hex 24 > secrets/database_password',
      '  sudo chgrp -R 10001 secrets && chmod 640 secrets/database_password',
      '  PARLEY_DOMAIN=example.org docker compose up -d',
      '  docker compose exec parley parley user add ana',
      '',
      'To upgrade: docker compose pull (or build), then docker compose up -d.',
    ],
    image: `parley:${packageFacts().version}`,
    build: true,
    user: '10001:10001',
    data: 'data',
    database: true,
    password: true,
  })
}

export function presentText({ path }: Generated): string {
  const file = join(top, path)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`, each on a line of its own. Throws without them. */
export function between(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`]
  const from = text.indexOf(start)
  const to = text.indexOf(end)
  if (from < 0 || to < from)
    throw new Error(`no place for ${name}: put ${start.trim()} and ${end} on lines of their own`)
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`
}

function packageFacts(): { readonly description: string; readonly version: string } {
  return JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as {
    description: string
    version: string
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const document of generated) {
    const present = presentText(document)
    const wanted = document.wanted(present)
    if (wanted !== present) writeFileSync(join(top, document.path), wanted)
  }
