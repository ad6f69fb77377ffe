/** The list of metrics, read from the calls in the source that make them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Metric {
  readonly name: string
  readonly kind: string
  readonly help: string
  readonly labels: readonly string[]
}

/** A document for those who watch a server; `source` is the folder of the code. */
export function metricsReference(source: string): string {
  const rows = metricsIn(source).map(
    ({ name, kind, help, labels }) =>
      `| \`parley_${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help}. |`,
  )
  return `# Metrics

\`/metrics\` on the management listener gives these, besides those of the process and of Node (\`process_*\`, \`nodejs_*\`,
such as \`nodejs_eventloop_lag_seconds\`). No label holds an address of a person.

| metric | kind | labels | what it counts |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

/** By name; each once, wherever it is made. Throws when two calls disagree. */
export function metricsIn(source: string): Metric[] {
  const found = new Map<string, Metric>()
  for (const file of readdirSync(source, { recursive: true }).map(String)) {
    if (!file.endsWith('.ts')) continue
    for (const metric of metricsOf(readFileSync(join(source, file), 'utf8'))) {
      const before = found.get(metric.name)
      if (before && JSON.stringify(before) !== JSON.stringify(metric))
        throw new Error(`${file}: ${metric.name} is something else elsewhere`)
      found.set(metric.name, metric)
    }
  }
  return [...found.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
}

const call = /\.(counters?|gauge|watch|histograms?)\(\s*'([a-z0-9_]+)',\s*(?:'([^']*)'|"([^"]*)")/g

function metricsOf(text: string): Metric[] {
  return [...text.matchAll(call)].map((match) => {
    const [start, method = '', name = '', single, double] = match
    const rest = argumentsAfter(text, match.index + start.length)
    return {
      name,
      kind: kindOf(method),
      help: (single ?? double ?? '').replace(/\.$/, ''),
      labels: labelsOf(method, rest),
    }
  })
}

function kindOf(method: string): string {
  return method === 'watch' ? 'gauge' : method.replace(/s$/, '')
}

/** The last argument: a list of names, or for histograms one name. */
function labelsOf(method: string, rest: string): string[] {
  const last = method === 'histograms' ? /'(\w+)',?\s*$/ : /\[((?:\s*'\w+',?)+\s*)\],?\s*$/
  const names = last.exec(rest)?.[1] ?? ''
  return names.match(/\w+/g) ?? []
}

/** What stands between `from` and the parenthesis that ends the call. */
function argumentsAfter(text: string, from: number): string {
  let depth = 1
  let at = from
  for (; depth > 0 && at < text.length; at++) {
    if (text[at] === '(') depth++
    else if (text[at] === ')') depth--
  }
  return text.slice(from, at - 1)
}
