// The commands as one program.
import { Command, CommanderError } from 'commander'
import { TangentError } from '../core/errors.js'
import { ownVersion } from '../core/package.js'
import type { ChosenDevice } from '../native/device.js'
import { commands } from './commands.js'
import { buildCommand, type CommonOptions, plainText, programName, type Session } from './define.js'
import { Output } from './output.js'
import { endPipes } from './pipes.js'
import { isStandardOutput } from './places.js'
import { checkOptionNames } from './typos.js'

const output = new Output()

/** Exit codes: 0 done, 1 the work failed, 2 the input or the call is wrong, 130 interrupted. */
const callerErrors = new Set([
  'BAD_ARGUMENT',
  'BAD_INPUT',
  'BAD_FILE',
  'UNSUPPORTED',
  'MEMORY_BUDGET',
  'NO_DEVICE',
])

async function main(args: string[]): Promise<number> {
  const interrupt = new AbortController()
  // A second Ctrl-C ends the process at once.
  const end = () => {
    interrupt.abort()
    endPipes()
  }
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, end)
  let options: CommonOptions = {}
  let failed = false
  const start = (given: CommonOptions): Session => {
    options = given
    const { out } = given as { out?: string }
    const taken = out !== undefined && isStandardOutput(out)
    if (taken && given.json) {
      throw new TangentError(
        'BAD_ARGUMENT',
        'Expected a file for --out together with --json but both would write to standard output',
      )
    }
    const say = (...lines: string[]) => {
      if (given.quiet || given.json) return
      // Where the array goes there is no room for words.
      if (taken) process.stderr.write(`${lines.join('\n')}\n`)
      else output.print(lines.join('\n'))
    }
    let chosen: { device?: ChosenDevice } = {}
    return {
      signal: interrupt.signal,
      say,
      chose: (device) => {
        chosen = { device }
        say(`Device ${device.name}: ${device.why}`)
      },
      fail: () => {
        failed = true
      },
      result: (value) => {
        if (given.json) output.print(JSON.stringify({ ...value, ...chosen }))
      },
    }
  }
  const parser = new Command(programName)
    .description('Exact tangent features and tangent kernels of ONNX networks')
    .version(ownVersion(), '--version', 'print the version')
    .exitOverride()
    .configureOutput({
      // In the words of all other errors, below.
      outputError: () => {},
      writeOut: (text) => output.write(text),
    })
  for (const entry of commands) {
    // One of these is called, as in `ntk …` and `help ntk`.
    const definition = args.includes(entry.name) ? await entry.load() : undefined
    parser.addCommand(buildCommand(entry, definition, start).copyInheritedSettings(parser))
  }
  try {
    checkOptionNames(parser, args)
    await parser.parseAsync(args, { from: 'user' })
    return failed ? 1 : 0
  } catch (error) {
    if (error instanceof CommanderError) return wrongCall(error, args)
    if (interrupt.signal.aborted) {
      process.stderr.write('Interrupted\n')
      return 130
    }
    return report(error as Error, options)
  }
}

/** What the parser says of the call, as a caller's mistake like any other. */
function wrongCall({ exitCode, code, message }: CommanderError, args: readonly string[]): number {
  if (exitCode === 0) return 0
  // No command, no mistake: the help was shown.
  if (code === 'commander.help') return 2
  const [what = '', ...hints] = message
    .replace(/^error: /, '')
    .trim()
    .split('\n')
  const hint = hints.map((line) => line.replace(/^\(Did you mean (.*)\)$/, '; did you mean $1'))
  const sentence = what.charAt(0).toUpperCase() + what.slice(1) + hint.join('')
  return report(new TangentError('BAD_ARGUMENT', sentence), { json: args.includes('--json') })
}

function report(error: Error, options: CommonOptions): number {
  const code = error instanceof TangentError ? error.code : 'FAILED'
  process.stderr.write(`${programName}: ${plainText(error.message)}\n`)
  if (options.json) output.print(JSON.stringify({ error: { code, message: error.message } }))
  return callerErrors.has(code) ? 2 : 1
}

/** What was computed is in its files; that its words were lost, the exit code says. */
async function printed(code: number): Promise<number> {
  const problem = await output.end()
  if (problem === undefined) return code
  process.stderr.write(`${programName}: Cannot write to standard output: ${problem}\n`)
  return code || 1
}

/** @returns the exit code, once all is printed. */
export async function program(args: string[]): Promise<number> {
  return printed(await main(args))
}
