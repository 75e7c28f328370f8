// Where derivatives are computed, and why there.
import { badArgument } from '../core/errors.js'
import { native } from './index.js'

/**
 * Where derivatives are computed: the processor, an NVIDIA card (`cuda` is the first one), or `auto`: a
 * card where one can be used and the call has code for it, otherwise the processor. `emulated` is a card
 * that the processor plays, for tests. See docs/gpu.md.
 */
export type DeviceName = 'cpu' | 'cuda' | `cuda:${number}` | 'emulated' | 'auto'

/** The device that was chosen. */
export interface ChosenDevice {
  /** `cpu`, `cuda:0`, `emulated`. */
  name: string
  /** Why this one, in words. */
  why: string
}

/**
 * The device that a name stands for. What was named is there, or an error says why not.
 * @throws TangentError `BAD_ARGUMENT` for other words, `NO_DEVICE`.
 */
export function chooseDevice(given: DeviceName = 'cpu', name = 'options.device'): ChosenDevice {
  if (typeof given !== 'string' || !/^(cpu|cuda(:\d{1,3})?|emulated|auto)$/.test(given)) {
    throw badArgument(name, 'cpu, cuda, cuda:N, emulated or auto', given)
  }
  if (given === 'cpu') return { name: 'cpu', why: 'it is the default' }
  if (given !== 'auto') {
    native.checkDevice(given)
    return { name: given === 'cuda' ? 'cuda:0' : given, why: 'it was asked for' }
  }
  const cards = native.cards()
  const card = cards.find(({ whyNot }) => whyNot === '')
  if (card) return { name: card.name, why: `${card.what} can be used` }
  return { name: 'cpu', why: cards[0]?.whyNot ?? 'there is no card' }
}
