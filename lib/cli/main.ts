#!/usr/bin/env node
// Starts the worker of a call that names a network, then loads the commands: both take their time.
import { endAtOnce } from '../runtime/exit.js'
import { warmUp } from '../runtime/thread.js'

const args = process.argv.slice(2)
const asksForHelp = args.includes('--help') || args.includes('-h')
if (!asksForHelp && args.some((name) => name.endsWith('.onnx'))) warmUp()

const { program } = await import('./program.js')
process.exitCode = await program(args)
endAtOnce()
