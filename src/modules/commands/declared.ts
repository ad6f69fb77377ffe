/** Commands of the table as ad-hoc commands: forms from declared arguments, results as data forms and notes. */
import { argumentsOf, type AnyCommand, type Argument, type CommandResult } from '../../host/command.js'
import type { CommandAnswer, CommandRequest } from '../../host/desk.js'
import { required } from '../../base/schema.js'
import { StanzaError } from '../../stanza/errors.js'
import { form, isTrue, Submission, tableForm, type Field, type FieldType } from '../../stanza/forms.js'
import type { Element } from '../../xml/element.js'
import { accepting, note, refusal, type Offer, type Step } from '../../stanza/dialogue.js'

/** Runs a request of the client whose dialogue it is. */
export type Ask = (request: CommandRequest) => Promise<CommandAnswer>

/** XEP-0050 §3.2: nodes are unique for their address. */
export const nodeOf = (command: string): string => `urn:x-parley:command:${command.replaceAll(' ', '-')}`

export function declaredOffer(command: AnyCommand, ask: Ask): Offer {
  const declared = argumentsOf(command)
  const run = (args: Readonly<Record<string, unknown>>, back?: () => Step) =>
    carriedOut([{ command: command.name, args }], ask, (answers) => resultPayload(answers[0]!), back)
  const asking = (given: Readonly<Record<string, unknown>>): Step => ({
    status: 'executing',
    payload: [
      form(
        undefined,
        declared.map((argument) => fieldOf(argument, given[argument.key])),
        { title: command.name, instructions: `${command.summary}.` },
      ),
    ],
    [command.destroys ? 'next' : 'complete']: async (filled: Element | undefined) => {
      const args = await accepting(() => argumentsFrom(filled, declared))
      return run(args, () => asking(args))
    },
  })
  return {
    node: nodeOf(command.name),
    name: `${command.name}: ${command.summary}`,
    start: () => (declared.length === 0 ? run({}) : asking({})),
  }
}

const types: Readonly<Record<string, FieldType>> = {
  flag: 'boolean',
  secret: 'text-private',
  lines: 'text-multi',
  list: 'text-multi',
  choice: 'list-single',
  account: 'jid-single',
  jid: 'jid-single',
}

function fieldOf({ key, required: needed, option }: Argument, given: unknown): Field {
  const { kind, doc, choices, fallback } = option
  const label = key.replaceAll('_', ' ').replace(/^./, (letter) => letter.toUpperCase())
  const value = given ?? (fallback === required || kind === 'secret' ? undefined : fallback)
  return {
    name: key,
    type: types[kind] ?? 'text-single',
    label,
    // That of a secret says how to give it on a command line.
    ...(kind === 'secret' ? {} : { description: doc }),
    required: needed || kind === 'secret',
    value: shownValue(value),
    ...(choices ? { options: choices } : {}),
  }
}

function shownValue(value: unknown): Field['value'] {
  if (typeof value === 'string') return value === '' ? undefined : value.split('\n')
  if (typeof value === 'number' || typeof value === 'boolean') return value
  return Array.isArray(value) && value.length > 0 ? value.map(String) : undefined
}

/** Raw values by key; what was left empty is as if it had not been there. */
function argumentsFrom(
  filled: Element | undefined,
  declared: readonly Argument[],
): Readonly<Record<string, unknown>> {
  if (!filled) throw new StanzaError('bad-request', 'The form is missing.')
  const submission = new Submission(
    filled,
    undefined,
    declared.map((argument) => fieldOf(argument, undefined)),
  )
  const args: Record<string, unknown> = {}
  for (const { key, option } of declared) {
    const text = submission.text(key)
    if (text === undefined || text === '') continue
    if (option.kind === 'flag') args[key] = isTrue(text)
    else args[key] = option.kind === 'list' ? submission.texts(key) : text
  }
  return args
}

/**
 * The step after a form: requests are run one after the other, or what would be lost by them is shown first. `back` gives
 * the form again.
 */
export async function carriedOut(
  requests: readonly CommandRequest[],
  ask: Ask,
  show: (answers: readonly CommandResult[]) => readonly Element[],
  back?: () => Step,
): Promise<Step> {
  const done: CommandResult[] = []
  const losses: string[] = []
  const failures: Element[] = []
  for (const request of requests) {
    const answer = await ask(request)
    if (answer.ok) done.push(answer)
    else if (answer.kind === 'confirm') losses.push(answer.message)
    else failures.push(failureOf(answer, requests.length))
  }
  if (losses.length > 0) {
    const confirmed = requests.map((request) => ({ ...request, confirmed: true }))
    return confirming(losses, () => carriedOut(confirmed, ask, show), back)
  }
  return { status: 'completed', payload: [...failures, ...(done.length > 0 ? show(done) : [])] }
}

/** XEP-0133 §5 wants an error for what cannot be done at all; of several requests those that failed are noted. */
function failureOf(
  { kind, message, hint, condition }: Extract<CommandAnswer, { ok: false }>,
  among: number,
): Element {
  if (kind === 'refused') throw new StanzaError('forbidden', message)
  if (kind === 'usage') throw refusal('bad-request', 'bad-payload', message)
  if (condition && among === 1) throw new StanzaError(condition, message)
  return note('error', hint === undefined ? message : `${message}\n${hint}`)
}

/** Nothing is lost that somebody has not been asked about. */
function confirming(losses: readonly string[], go: () => Promise<Step>, back?: () => Step): Step {
  const warning = `This removes ${losses.join('; ')}.`
  return {
    status: 'executing',
    payload: [
      note('warn', warning),
      form(undefined, [{ name: '', type: 'fixed', value: warning }], { title: 'Go on?' }),
    ],
    ...(back ? { prev: back } : {}),
    complete: go,
  }
}

/** A result as a form to read, and what there is to say about it. */
export function resultPayload({ table, text, problem }: CommandResult): readonly Element[] {
  const payload: Element[] = []
  if (table && table.rows.length > 0) payload.push(tableForm(table.columns, table.rows))
  if (text !== undefined && text !== '') payload.push(note(problem ? 'warn' : 'info', text))
  return payload
}
