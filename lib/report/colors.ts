// Colours that differ for readers with any kind of colour vision, on light and on dark paper, and the
// dashes that tell the same lines apart where there is no colour.

/** Okabe & Ito's, at a lightness that the page's paper bears. */
const colors = [
  'var(--before)',
  'var(--after)',
  'var(--third)',
  'var(--fourth)',
  'var(--fifth)',
  'var(--sixth)',
]
const dashes = ['none', '6 3', '2 3', '9 3 2 3', '12 4', '4 2']

/** What there is at most; more lines than these cannot be distinguished. */
export const colorLimit = colors.length

export const colorOf = (at: number) => colors[at % colors.length] as string
export const dashOf = (at: number) => dashes[at % dashes.length] as string

/** From the first (0) to the last (1) of many, for readers who follow an order. */
export const between = (at: number) =>
  `color-mix(in oklab, var(--before), var(--after) ${Math.round(100 * at)}%)`
