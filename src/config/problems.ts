/** What is wrong with a configuration, in the words and the order in which the admin should read it. */

export interface Problem {
  /** `parley.toml:14:1`, `env PARLEY_X`, `--set`; empty when nothing was written anywhere. */
  readonly where: string
  readonly message: string
  /** What to do, on its own line. */
  readonly hint?: string | undefined
  /** A warning does not stop the start. */
  readonly warning?: boolean
  /** A whole file could not be read or parsed. */
  readonly unreadable?: boolean
  /** Sorts problems: the layer, then the line in it. */
  readonly order: readonly [layer: number, line: number]
}

/** A configuration that cannot be used. The message is the whole report. */
export class ConfigError extends Error {
  constructor(
    readonly problems: readonly Problem[],
    /** What the failure means: `not started, nothing changed`. */
    readonly consequence = 'not started, nothing changed',
  ) {
    super(`${printProblems(problems)}\n${summary(problems)}: ${consequence}`)
  }
}

/** Each problem on one line, its hint below. */
export function printProblems(problems: readonly Problem[]): string {
  return [...problems]
    .sort((one, other) => one.order[0] - other.order[0] || one.order[1] - other.order[1])
    .map(({ where, message, hint, warning }) => {
      const gap = where === '' ? '' : message.startsWith('=') ? ' ' : '  '
      const line = `${where}${gap}${message}${warning ? '   (warning)' : ''}`
      return hint ? `${line}\n   ${hint}` : line
    })
    .join('\n')
}

/** `3 errors, 1 warning` */
export function summary(problems: readonly Problem[]): string {
  const warnings = problems.filter(({ warning }) => warning).length
  const errors = problems.length - warnings
  const parts = [
    errors > 0 || warnings === 0 ? counted(errors, 'error') : '',
    warnings > 0 ? counted(warnings, 'warning') : '',
  ]
  return parts.filter((part) => part !== '').join(', ')
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`
