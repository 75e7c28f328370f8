// What a command is, and how it becomes part of the program: without what only some commands need.
import { Command, InvalidArgumentError, Option } from 'commander'
import { TangentError } from '../core/errors.js'
import { parseBytes } from '../core/memory.js'
import { ownVersion } from '../core/package.js'
import { type ChosenDevice, chooseDevice, type DeviceName } from '../native/device.js'

/** Options that every command takes. */
export interface CommonOptions {
  threads?: number
  memory?: number
  device?: DeviceName
  batchAxis?: string[]
  shared?: string[]
  json?: boolean
  quiet?: boolean
}

/** What a command works with in addition to its own options. */
export interface Session {
  /** Aborted by Ctrl-C. */
  signal: AbortSignal
  /** Prints lines for people: nothing with `--quiet` or `--json`. */
  say(...lines: string[]): void
  /** The command's result for programs: printed with `--json`, once. */
  result(value: object): void
  /** What `auto` chose: told to people, and to programs with the result. */
  chose(device: ChosenDevice): void
  /** What was asked has a negative answer: exit code 1. */
  fail(): void
}

/** What the list of commands says of one, and where the rest of it is. */
export interface CommandEntry {
  name: string
  /** Arguments as commander writes them: `<model>`; '' for none. */
  arguments: string
  summary: string
  load(): Promise<CommandDefinition>
}

/** One command: its examples, its options, what it does. */
export interface CommandDefinition {
  /** Command lines shown by `--help`, without the program's name. */
  examples: readonly string[]
  options?: readonly Option[]
  /** Does its work run on a device? The others refuse one that is named. */
  devices?: boolean
  // biome-ignore lint/suspicious/noExplicitAny: each command knows the types of its options.
  run(session: Session, args: string[], options: any): Promise<void>
}

export const programName = 'adaptive-tangent'

/** @param definition absent: only its line in the list of commands is wanted. */
export function buildCommand(
  entry: CommandEntry,
  definition: CommandDefinition | undefined,
  start: (options: CommonOptions) => Session,
): Command {
  const command = new Command(entry.name)
    .summary(entry.summary)
    .description(entry.summary)
    .version(ownVersion(), '--version', 'print the version')
  const words = entry.arguments.split(' ').filter((word) => word !== '')
  for (const argument of words) command.argument(argument)
  for (const option of definition?.options ?? []) command.addOption(option)
  for (const option of commonOptions()) command.addOption(option)
  if (!definition) return command
  const examples = definition.examples.map((line) => `  $ ${programName} ${line}`)
  command.addHelpText('after', `\nExamples:\n${examples.join('\n')}`)
  command.action(async (...given: unknown[]) => {
    const options = command.opts<CommonOptions>()
    const args = given.slice(0, -2).flat() as string[]
    checkDevice(entry.name, definition, options)
    await definition.run(start(options), args, options)
  })
  return command
}

function checkDevice(
  name: string,
  { devices }: CommandDefinition,
  { device }: CommonOptions,
): void {
  const chosen = chooseDevice(device, '--device')
  if (devices || chosen.name === 'cpu' || device === 'auto') return
  throw new TangentError(
    'UNSUPPORTED',
    `There is no code for devices in the command ${name}; give it --device cpu or auto`,
  )
}

function commonOptions(): Option[] {
  return [
    new Option('--threads <n>', 'threads to use').argParser(wholeNumber(1)),
    new Option('--memory <size>', 'memory budget, such as 2GiB').argParser(bytes),
    new Option('--device <name>', 'where derivatives are computed: cpu, cuda, cuda:N or auto'),
    new Option(
      '--batch-axis <name=k>',
      "axis of an input's or output's samples, `none` where the file takes one; again for others",
    ).argParser(collect),
    new Option(
      '--shared <name>',
      'an input that is the same for all samples; again for others',
    ).argParser(collect),
    new Option('--json', 'print one JSON object'),
    new Option('--quiet', 'print nothing but errors'),
  ]
}

/** A name from a file as text for a terminal. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they could steer the terminal.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}

export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}

export function wholeNumber(least: number) {
  return (text: string): number => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`Expected a whole number ≥ ${least}.`)
  }
}

function bytes(text: string): number {
  try {
    return parseBytes(text)
  } catch {
    throw new InvalidArgumentError('Expected a size such as 2GiB or 800MB.')
  }
}
