// Where derivatives are computed, and why there.
import { badArgument, oneOf, TangentError } from '../core/errors.js'
import { native } from './index.js'

/**
 * Where derivatives are computed: the processor, an NVIDIA card (`cuda` is the first one), or `auto`: a
 * card where one can be used and the call has code for it, otherwise the processor. `emulated` is a card
 * that the processor plays, for tests. See docs/gpu.md.
 */
export type DeviceName = 'cpu' | 'cuda' | `cuda:${number}` | 'emulated' | 'auto'

export const isDeviceName = (word: unknown): word is DeviceName =>
  typeof word === 'string' && /^(cpu|cuda(:\d{1,3})?|emulated|auto)$/.test(word)

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
  if (!isDeviceName(given)) throw badArgument(name, 'cpu, cuda, cuda:N, emulated or auto', given)
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

/**
 * How a card multiplies float32 numbers: as they are, or rounded to 10 bits behind the point (TF32), which its
 * tensor cores do several times faster.
 */
export type ProductPrecision = 'float32' | 'tf32'

/** How far products in TF32 were off: of some of them a part was computed both ways. */
export interface MeasuredError {
  /** The largest ‖TF32 − float32‖ / ‖float32‖ of a part. */
  error: number
  /** Parts that were compared. */
  sampled: number
}

/**
 * The precision of a call's products.
 * @param asked the device as it was asked for: `auto` may choose the processor, which has no TF32.
 * @throws TangentError `BAD_ARGUMENT` for other words, and for TF32 where nothing could be rounded so.
 */
export function choosePrecision(
  given: ProductPrecision | undefined,
  { device, asked, float64 }: { device: string; asked: DeviceName | undefined; float64: boolean },
  name = 'options.precision',
): ProductPrecision {
  const precision = oneOf(given, ['float32', 'tf32'] as const, name)
  if (precision === 'float32') return precision
  if (float64) throw badArgument(name, 'float32 of a network in float64', given)
  if (device !== 'cpu') return precision
  if (asked === 'auto') return 'float32'
  throw badArgument(name, 'float32 on the processor, which has no TF32', given)
}

/** Options of calls whose large operations a device may do. */
export interface DeviceOptions {
  /**
   * Where matrices are multiplied, factored and decomposed (default `'cpu'`); see {@link DeviceName}. One
   * that cannot be used, or has no code for the call, is refused by name. See docs/gpu.md.
   */
  device?: DeviceName | undefined
}

/** What the core is told: the device's name, nothing for the processor. */
export function deviceName({ name }: ChosenDevice): string | undefined {
  return name === 'cpu' ? undefined : name
}

/**
 * The processor, for calls whose work is its own.
 * @throws TangentError `UNSUPPORTED` for a device that was named.
 */
export function withoutDevices({ device }: DeviceOptions, call: string): ChosenDevice {
  const chosen = chooseDevice(device)
  if (device === 'auto') return { name: 'cpu', why: `there is no code for devices in ${call}` }
  if (chosen.name === 'cpu') return chosen
  throw new TangentError(
    'UNSUPPORTED',
    `There is no code for devices in ${call}; give device: 'cpu' or 'auto'`,
  )
}
