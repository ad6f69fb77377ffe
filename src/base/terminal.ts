/** The person at the terminal: lines out, questions and hidden passwords in. */
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

export interface Terminal {
  /** Whether somebody can be asked. */
  readonly interactive: boolean
  out(text: string): void
  error(text: string): void
  /** A line that was typed, without its end; with `hidden` nothing is shown. Undefined: the input has ended. */
  ask(question: string, hidden?: boolean): Promise<string | undefined>
  /** All of standard input, at most 1 MiB. */
  input(): Promise<string>
}

/** The terminal of this process: answers to standard output, questions and complaints to standard error. */
export function processTerminal(): Terminal {
  // A reader that had enough (`| head`) is no error.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  return {
    interactive: Boolean(process.stdin.isTTY && process.stderr.isTTY),
    out: (text) => void process.stdout.write(`${text}\n`),
    error: (text) => void process.stderr.write(`${text}\n`),
    ask: askOnTerminal,
    input: readInput,
  }
}

/**
 * Tells whether the terminal that this process was started at has been closed since: then SIGHUP says so, and asks for
 * no reload. Never without a terminal, nor under nohup.
 */
export function terminalLoss(): () => boolean {
  const isThere = () => {
    try {
      closeSync(openSync('/dev/tty', 'r'))
      return true
    } catch {
      return false
    }
  }
  const had = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY) && isThere()
  return () => had && !isThere()
}

function askOnTerminal(question: string, hidden = false): Promise<string | undefined> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({
    input: process.stdin,
    output: hidden ? nowhere : process.stderr,
    terminal: Boolean(process.stdin.isTTY),
    historySize: 0,
  })
  // Asked only now that the terminal itself has stopped echoing; what readline echoes of a hidden answer goes nowhere.
  process.stderr.write(question)
  return new Promise((answered) => {
    let answer: string | undefined
    lines.once('line', (line) => {
      answer = line
      lines.close()
    })
    lines.once('SIGINT', () => lines.close())
    lines.once('close', () => {
      if (hidden || answer === undefined) process.stderr.write('\n')
      answered(answer)
    })
  })
}

async function readInput(): Promise<string> {
  process.stdin.setEncoding('utf8')
  let text = ''
  for await (const chunk of process.stdin) {
    text += String(chunk)
    if (text.length > 1024 * 1024) throw new Error('standard input is longer than 1 MiB')
  }
  return text
}
