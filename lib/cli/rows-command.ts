// Commands whose result has a row of arrays for each sample: to files of one folder, or to a store.
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { derivativeOptions, inputOption, nonFiniteOption, withNetwork } from './command.js'
import type { CommandDefinition, Session } from './define.js'
import { inputFormatOption } from './input.js'
import { type ArraysPlace, arraysOption, arraysPlace } from './results.js'
import { readInputs } from './samples.js'
import { checkStoreOptions, type RowsOptions, rowsToStore, storeOptions } from './store.js'

export interface RowsCommand extends Pick<CommandDefinition, 'examples'> {
  name: 'jacobian' | 'features'
  /** What the folder of `--out` gets. */
  files: string
  /** Computes and writes them. */
  write: (call: RowsCall) => Promise<void>
}

export interface RowsCall {
  session: Session
  options: RowsOptions
  network: Network
  x: Inputs
  place: ArraysPlace
}

export const rowsCommand = ({ name, examples, files, write }: RowsCommand): CommandDefinition => ({
  examples,
  options: [
    inputOption(),
    inputFormatOption(),
    arraysOption(files),
    ...storeOptions(),
    nonFiniteOption(),
    ...derivativeOptions(),
  ],
  devices: true,
  async run(session, [model = ''], options: RowsOptions) {
    checkStoreOptions(options)
    const { out, store } = options
    if (store !== undefined) return rowsToStore(session, model, { ...options, store }, name)
    const place = await arraysPlace(out as string, '--out')
    await withNetwork(model, options, {}, async (network) => {
      const x = await readInputs(options.input, network, options)
      await write({ session, options, network, x, place })
    })
  },
})
