/** Documents made from the option schemas: the annotated example and the reference. */
import { isSecret, required, written } from '../base/schema.js'
import type { Node, Option, Path, Reload, Schema, Table } from '../base/schema.js'
import { nameOf } from './layers.js'
import { serverSchema } from './server.js'
import type { ModuleDeclaration } from './server.js'

/** A configuration file in which every option stands with its meaning and default, commented out. */
export function exampleConfig(modules: readonly ModuleDeclaration[]): string {
  return `# Parley: every setting, its meaning and its default. Nothing here needs to be set; a configuration
# of your own holds only what differs, for most servers a dozen lines:
#
#   domain = "example.org"
#
#   [tls]
#   certificate = "/etc/parley/example.org.pem"
#   key = "/etc/parley/example.org.key"
#
#   [database]
#   url_file = "/run/secrets/database_url"
#
# Later layers win: this file, conf.d/*.toml beside it in the order of their names, names of the
# environment (PARLEY_LOG__LEVEL=debug is log.level), --set log.level=debug on the command line.
# \`parley config check\` tells what is wrong, \`parley config show --origin\` what holds and why;
# \`parley reload\` takes up changes.
${tablesOf(serverSchema(modules), []).join('')}`
}

/** All options as tables in Markdown. */
export function optionReference(modules: readonly ModuleDeclaration[]): string {
  return `# Options

Generated from the schemas: do not edit. Times need a unit (\`ms s min h d w\`), sizes too (\`B KB MB GB\`, powers of
1,000; \`KiB MiB GiB\`, powers of 1,024). Every option has a name in the environment that follows its path:
\`limits.c2s_rate\` is \`PARLEY_LIMITS__C2S_RATE\`, \`modules.last-activity.enabled\` is
\`PARLEY_MODULES__LAST_ACTIVITY__ENABLED\`. A secret \`KEY\` may be given as \`KEY_file\`, the path of a file that holds
nothing else. A change counts at once after \`parley reload\`, for new connections, or after a restart.
${sectionsOf(serverSchema(modules), []).join('')}`
}

/** The tables of the example: options first, then what is nested. */
function tablesOf(schema: Schema<unknown>, path: Path): string[] {
  const fields = Object.entries(schema.fields)
  const lines = fields.flatMap(([name, node]) =>
    node.shape === 'option' ? exampleLines(name, node as Option<unknown>) : [],
  )
  const head = path.length === 0 ? '' : `\n${comment(schema.doc)}[${nameOf(path)}]\n`
  const own = lines.length > 0 ? [head + lines.join('')] : []
  return [
    ...own,
    ...fields.flatMap(([name, node]) => {
      if (node.shape === 'options') return tablesOf(node as Schema<unknown>, [...path, written(name)])
      return node.shape === 'table' ? [namedTable(node as Table<unknown>, [...path, written(name)])] : []
    }),
  ]
}

function exampleLines(name: string, option: Option<unknown>): string[] {
  const key = written(name)
  const value = !hasDefault(option) ? '"..."' : option.show(option.fallback)
  const twin = isSecret(option) ? `#${key}_file = "..."\n` : ''
  return [`\n${comment(`${option.doc}${notes[option.reload]}`)}#${key} = ${value}\n${twin}`]
}

/** Tables of the admin's naming are shown for a name, wholly commented out. */
function namedTable({ each, doc }: Table<unknown>, path: Path): string {
  const inner = (each as Schema<unknown>).fields
  const fields = Object.entries(inner)
  const keys = fields.flatMap(([name, node]) =>
    node.shape === 'option' ? exampleLines(name, node as Option<unknown>) : [],
  )
  const own = keys.length > 0 ? `#[${nameOf([...path, 'example.net'])}]\n${keys.join('')}` : ''
  const nested = fields.filter(([, node]) => node.shape !== 'option')
  const tables = nested.map(([name, node]) => {
    const table = [...path, 'example.org', written(name)]
    const keys =
      written(name) === 'modules'
        ? `#[${nameOf(table)}.NAME]\n#enabled = false\n`
        : `#[${nameOf(table)}]\n${Object.keys((node as Schema<unknown>).fields)
            .map((key) => `#${written(key)} = "..."\n`)
            .join('')}`
    return keys
  })
  return `\n${comment(doc)}${own}${tables.join('')}`
}

function sectionsOf(node: Node<unknown>, path: Path): string[] {
  if (node.shape === 'table') {
    const { each, doc } = node as Table<unknown>
    const keys = Object.values((each as Schema<unknown>).fields)
    if (keys.every(({ shape }) => shape === 'option'))
      return sectionsOf({ ...each, doc } as Schema<unknown>, [...path, 'NAME'])
    return [
      `\n## \`[${nameOf([...path, 'NAME'])}]\`\n\n${doc} The options are those of \`[tls]\` and \`[modules]\`.\n`,
    ]
  }
  if (node.shape !== 'options') return []
  const fields = Object.entries((node as Schema<unknown>).fields)
  const rows = fields.flatMap(([name, field]) =>
    field.shape === 'option' ? [row(written(name), field as Option<unknown>)] : [],
  )
  const title = path.length === 0 ? 'At the top of the file' : `\`[${nameOf(path)}]\``
  const section = `\n## ${title}\n${node.doc ? `\n${node.doc}\n` : ''}\n| Option | Default | A change counts | Meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`
  return [
    ...(rows.length > 0 ? [section] : []),
    ...fields.flatMap(([name, field]) => sectionsOf(field, [...path, written(name)])),
  ]
}

function row(key: string, option: Option<unknown>): string {
  const fallback = !hasDefault(option) ? '' : `\`${option.show(option.fallback)}\``
  const meaning = `${option.doc} Takes ${option.expects}.`
  return `| ${[`\`${key}\``, fallback, effect[option.reload], meaning.replaceAll('|', '\\|')].join(' | ')} |\n`
}

function hasDefault({ fallback }: Option<unknown>): boolean {
  return fallback !== undefined && fallback !== required
}

/** Text as comment lines of at most 100 characters. */
function comment(text: string): string {
  const lines: string[] = []
  let line = '#'
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length + 1 > 100) {
      lines.push(line)
      line = '#'
    }
    line += ` ${word}`
  }
  return `${[...lines, line].join('\n')}\n`
}

const notes: Readonly<Record<Reload, string>> = {
  applied: '',
  'new connections': ' (Changes count for new connections.)',
  restart: ' (Changes need a restart.)',
}

const effect: Readonly<Record<Reload, string>> = {
  applied: 'at once',
  'new connections': 'for new connections',
  restart: 'after a restart',
}
