import { printable } from '../core/printable.js'

/** 4463, 2.68 million → "4,460", "2.68 × 10⁶": three significant digits, for people. */
export function num(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 1e6 || size < 1e-3) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string]
    return `${mantissa.replace('-', '−')} × 10${superscript(Number(exponent))}`
  }
  return value
    .toLocaleString('en', { maximumSignificantDigits: Math.max(digits, size >= 1000 ? 4 : digits) })
    .replace('-', '−')
}

export function superscript(exponent: number): string {
  return String(exponent).replace(
    /[-\d]/g,
    (c) => (c === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)]) ?? '',
  )
}

export function whole(value: number): string {
  return value.toLocaleString('en')
}

/** "1 class", "1,000 classes". */
export const classCount = (count: number) => `${whole(count)} class${count === 1 ? '' : 'es'}`

/** Two decimals with a true minus, for numbers in [-1, 1]. */
export function unit(value: number): string {
  const text = value.toFixed(2)
  return (text === '-0.00' ? '0.00' : text).replace('-', '−')
}

export function percent(share: number): string {
  const value = 100 * share
  if (value === 0) return '0 %'
  if (value > 0 && value < 0.1) return '< 0.1 %'
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`
}

/** A number on an axis: as `num` writes it, without digits that say nothing. */
export function tick(value: number): string {
  const size = Math.abs(value)
  if (value !== 0 && (size >= 1e5 || size < 1e-3)) {
    const exponent = Math.floor(Math.log10(size) + 1e-9)
    const mantissa = Number((value / 10 ** exponent).toPrecision(2))
    const power = `10${superscript(exponent)}`
    return mantissa === 1 ? power : `${String(mantissa).replace('-', '−')} × ${power}`
  }
  return value.toLocaleString('en', { maximumSignificantDigits: 3 }).replace('-', '−')
}

/** The same on a logarithmic axis, where only powers of ten have a text. */
export function logTick(value: number): string {
  const exponent = Math.round(Math.log10(value))
  return Math.abs(Math.log10(value) - exponent) > 1e-9 ? '' : tick(10 ** exponent)
}

const large = ['million', 'billion', 'trillion'] as const

/** How many times, as people say it: 2.4, 16, 350, 21,000, 34 million. */
export function times(ratio: number): string {
  const rough = Number(ratio.toPrecision(2))
  if (rough < 1e6) return whole(rough)
  const scale = Math.min(large.length, Math.floor(Math.log10(rough) / 3) - 1)
  const count = rough / 10 ** (3 * scale + 3)
  return count < 1000 ? `${count} ${large[scale - 1]}` : `more than 1,000 ${large.at(-1)}`
}

/** "0.52 ± 0.02": as many decimals as the standard error has two digits of. */
export function plusMinus(value: number, error: number | null | undefined): string {
  if (error == null || !Number.isFinite(error)) return num(value)
  if (error === 0) return `${num(value)} ± 0`
  const decimals = 1 - Math.floor(Math.log10(error))
  const size = Math.max(Math.abs(value), error)
  if (size >= 1e6 || size < 1e-3) return `${num(value)} ± ${num(error, 2)}`
  const text = (one: number) => {
    const shown = Math.max(0, Math.min(20, decimals))
    const round = decimals < 0 ? Math.round(one / 10 ** -decimals) * 10 ** -decimals : one
    const digits = { minimumFractionDigits: shown, maximumFractionDigits: shown }
    return round.toLocaleString('en', digits).replace('-', '−')
  }
  return `${text(value)} ± ${text(error)}`
}

/** "600 ± 30 times as large", "a fifth smaller" in plain numbers: how `after` compares with `before`. */
export function changeOf(before: number, after: number, error?: number | null): string {
  const ratio = after / before
  if (!Number.isFinite(ratio) || ratio <= 0) return 'not comparable'
  const noise = error != null && Math.abs(ratio - 1) <= 2 * error
  if (noise) return `the ratio, ${plusMinus(ratio, error)}, is 1 but for noise`
  if (error == null && Math.abs(ratio - 1) < 0.02) return 'about the same'
  if (ratio >= 2) return `${manyTimes(ratio, error)} times as large`
  if (ratio <= 0.5) return `${manyTimes(1 / ratio, error && error / ratio ** 2)} times smaller`
  const part = 100 * Math.abs(ratio - 1)
  const size = error == null ? String(Math.round(part)) : plusMinus(part, 100 * error)
  return `${size} % ${ratio > 1 ? 'larger' : 'smaller'}`
}

const manyTimes = (ratio: number, error: number | null | undefined) =>
  error == null || ratio >= 1e6
    ? times(ratio) + (error ? ` (± ${percent(error / ratio)})` : '')
    : plusMinus(ratio, error)

/** A name that fits next to a chart; its middle gives way. */
export function short(name: string, length = 22): string {
  const chars = [...printable(name)]
  if (chars.length <= length) return chars.join('')
  const head = Math.ceil((length - 1) / 2)
  return `${chars.slice(0, head).join('')}…${chars.slice(chars.length - (length - 1 - head)).join('')}`
}

const separator = /[/.:_]/

/**
 * Lengths that may be cut off the front of all names because it is the same in all: 0, then up to
 * and with each separator. None leaves a name empty.
 */
function commonCuts(names: readonly string[][]): number[] {
  const [first = []] = names
  const cuts = [0]
  for (let at = 0; at < first.length; at++) {
    if (names.some((name) => name[at] !== first[at] || at >= name.length - 1)) break
    if (separator.test(first[at] as string)) cuts.push(at + 1)
  }
  return cuts
}

/**
 * Names that fit next to a chart and still differ: as much as needed of what all of them begin (or
 * else end) with is left out, then their middles give way.
 */
export function shortNames(names: readonly string[], length = 22): Map<string, string> {
  const chars = names.map((name) => [...printable(name)])
  const starts = names.length < 2 ? [0] : commonCuts(chars)
  const most = Math.max(...starts)
  const ends = names.length < 2 ? [0] : commonCuts(chars.map((name) => name.slice(most).reverse()))
  const cuts = ends.flatMap((end) => starts.map((start) => ({ start, end })))
  const fits = cuts.find(({ start, end }) =>
    chars.every((name) => name.length - start - end <= length),
  )
  const { start, end } = fits ?? { start: most, end: Math.max(...ends) }
  return new Map(
    names.map((name, i) => {
      const kept = (chars[i] as string[]).slice(start, (chars[i] as string[]).length - end)
      return [name, short(kept.join(''), length)]
    }),
  )
}

/** "N × 1 × 28 × 28"; a size or a rank that is not known is "?". */
export function shape(sizes: readonly (number | string | null)[] | null): string {
  if (sizes === null) return 'any shape'
  if (sizes.length === 0) return 'one number'
  return sizes.map((size) => printable(String(size ?? '?'))).join(' × ')
}
