// The public calls of adaptations, as in public-calls.ts.
import { type AdaptedModel, adapt, type Network } from '../../lib/index.js'
import { samples } from './networks.js'
import type { Call } from './public-calls.js'
import { Random } from './random.js'

const random = new Random(31)
const x = samples(random, [6, 3])
const labels = { data: Int32Array.of(0, 1, 2, 0, 1, 2), shape: [6] }
const quick = { structure: 'fixed', ridge: 0.1, selection: { folds: 2, repeats: 1 } } as const

let network: Network
let adapted: AdaptedModel

export async function setUpAdapt(given: Network): Promise<void> {
  network = given
  adapted = await adapt(network, x, labels, quick)
}

export const tearDownAdapt = () => adapted.dispose()

// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are the matter here.
type Any = any

export const adaptCalls: Record<string, Call> = {
  adapt: {
    args: () => [x, labels, { ...quick }],
    call: (...a) => adapt(network, ...(a as [Any, Any])).then((one) => one.dispose()),
    // Those of the fit itself are tried with fitAdaptive.
    options: 'signal target head loss holdout selection',
  },
  'AdaptedModel.predict': {
    args: () => [x, {}],
    call: (...a) => adapted.predict(...(a as [Any])),
    options: 'signal onProgress threads memory',
  },
  'AdaptedModel.save': {
    args: () => ['dist/adapted', {}],
    call: (...a) => adapted.save(...(a as [Any])),
    options: 'signal',
  },
}
