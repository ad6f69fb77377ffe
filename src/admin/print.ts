/** Results of commands for people: tables with columns as wide as they need, and the words of help. */
import { argumentsOf } from '../host/command.js'
import type { AnyCommand, CommandResult } from '../host/command.js'

/** Lines for a result; empty when there is nothing to say. */
export function printResult({ table, text }: CommandResult): string {
  const rows = table
    ? [...(table.columns.length > 0 && table.rows.length > 0 ? [table.columns] : []), ...table.rows]
    : []
  return [...printRows(rows), ...(text ? [text] : [])].join('\n')
}

/** Cells padded to the widest of their column; the last is left as it is. */
export function printRows(rows: readonly (readonly string[])[]): string[] {
  const shown = rows.map((row) => row.map(visible))
  const widths: number[] = []
  for (const row of shown)
    row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)))
  return shown.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** `user add ACCOUNT [--reason TEXT]` */
export function usageOf(command: AnyCommand): string {
  const words = argumentsOf(command).flatMap(({ required, positional, placeholder, flag, option }) => {
    if (positional) return [required ? placeholder : `[${placeholder}]`]
    if (option.kind === 'secret') return [`[--${flag}-file FILE | --generate]`]
    return option.kind === 'flag' ? [`[--${flag}]`] : [`[--${flag} ${placeholder}]`]
  })
  const more = [...(command.destroys ? ['[--yes]'] : []), ...(command.reads ? ['[--json]'] : [])]
  return [command.name, ...words, ...more].join(' ')
}

/** `2026-11-21T17:00:00Z` */
export const time = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')

/** `1 link`, `3 links` */
export const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

/** `3 d 4 h`, `12 min`, `5 s` */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ]
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min` : `${seconds} s`
}

/** Words that peers chose must not move the cursor of the admin's terminal. */
function visible(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '?')
}
