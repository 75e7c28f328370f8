// Misspelt options, before what is missing because of them is asked for.
import type { Command } from 'commander'
import { nearest } from '../core/nearest.js'

/** Ends the call as commander does when an option is none of the command's. */
export function checkOptionNames(program: Command, args: readonly string[]): void {
  const command = program.commands.find((one) => one.name() === args[0])
  if (!command) return
  const options = new Map(
    command.options.flatMap((option) => [
      [option.long, option] as const,
      [option.short, option] as const,
    ]),
  )
  for (let at = 1; at < args.length; at += 1) {
    const text = args[at] as string
    if (text === '--') return
    // Alone it is standard input.
    if (!text.startsWith('-') || text === '-') continue
    const [name = ''] = text.split('=', 1)
    const option = options.get(name)
    if (option?.required && name === text) at += 1
    if (option || name === '--help' || name === '-h') continue
    const names = command.options.flatMap(({ long }) => (long ? [long.slice(2)] : []))
    const near = nearest(name.replace(/^-+/, ''), names, 2).map((one) => `--${one}`)
    const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''
    command.error(`unknown option '${name}'${hint}`, { code: 'commander.unknownOption' })
  }
}
