/** The version of this server, from its package.json. */
import { readFileSync } from 'node:fs'

const { version: written } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { version: string }

/** As in `parley version`: "1.2.3". */
export const version = written
