/** The files of a command line, read in pieces for a server that asks for them. */
import { dirname, isAbsolute, join, normalize } from 'node:path'
import { CommandError } from '../host/command.js'
import type { FilesOfCaller } from '../host/command.js'
import type { FileAccess } from '../config/files.js'

/** What a process can do with files. */
export interface Streams {
  /** A file in pieces, `-` is standard input; fails as the system says. */
  open(file: string): AsyncIterable<Buffer>
  /** On standard output; resolves when it is written. */
  write(text: string): Promise<void>
}

/** Of a file in pieces: what the socket bears in one line. */
const PIECE = 256 * 1024

/** The server may read `main`, and what lies beside or below it: that is named relative to its folder. */
export function callerFiles(main: string, streams: Streams, files: FileAccess): FilesOfCaller {
  const placeOf = (file: string): string => {
    if (file === main) return main
    const wanted = normalize(decoded(file))
    if (main === '-' || isAbsolute(wanted) || wanted.startsWith('..') || /^[a-z][a-z0-9+.-]*:/i.test(file))
      throw new CommandError(
        `${file} is not beside ${main}`,
        'included files stand in the folder of the first one',
      )
    return join(dirname(main), wanted)
  }
  return {
    async *read(file) {
      const place = placeOf(file)
      try {
        for await (const chunk of streams.open(place))
          for (let at = 0; at < chunk.length; at += PIECE) yield chunk.subarray(at, at + PIECE)
      } catch (error) {
        if (error instanceof CommandError) throw error
        const { message, hint } = files.explain(place, error)
        throw new CommandError(`${place}: ${message}`, hint)
      }
    },
    write: (text) => streams.write(text),
  }
}

/** An `href` as the name of a file. */
function decoded(href: string): string {
  try {
    return decodeURIComponent(href)
  } catch {
    return href
  }
}
