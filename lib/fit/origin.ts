// Which network a fitted model belongs to.

import { badArgument, TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { cores } from '../model/core.js'
import { type NetworkDigests, networkDigests } from '../model/digests.js'
import type { Network } from '../network/network.js'

/** The network that a model was fitted to. */
export interface FitOrigin extends NetworkDigests {
  /** Its file, or a word for bytes: for messages. */
  file: string
  /** The value that was fitted. */
  output: string
}

export async function originOf(network: Network): Promise<FitOrigin> {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  const { model, output } = core.architecture
  return { file: model.name, output, ...(await networkDigests(core)) }
}

/**
 * Refuses a network that is not the fitted one; a model of 0.1.0 does not say which that was.
 * @throws TangentError BAD_ARGUMENT saying what of it is another
 */
export async function checkOrigin(origin: FitOrigin | undefined, network: Network): Promise<void> {
  if (!origin) return
  const own = await originOf(network)
  const other =
    own.network !== origin.network
      ? `${quote(own.file)} is another network`
      : own.output !== origin.output
        ? `${quote(own.file)} was loaded for the output ${quote(own.output)}`
        : own.weights !== origin.weights
          ? `${quote(own.file)} has other weights`
          : undefined
  if (other === undefined) return
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected the network that the model was fitted to, ${quote(origin.file)} with the output ${quote(origin.output)}, but ${other}; the model's numbers mean nothing there`,
  )
}
