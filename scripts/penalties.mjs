// Draws docs/penalties-*.svg from the code (`node scripts/penalties.mjs`, after a build): the
// penalties that the solver works with, after Fig. 2 of LeJeune & Alemohammad (2024).
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { root } from './setup/run.mjs'

const { combinedPenalty, penaltyOf } = await import(join(root, 'dist/lib/index.js'))
const { document } = parseHTML('<!doctype html><html><body></body></html>')

/** @type {{ name: string, sides: number[] }[]} */
const penalties = [
  { name: '½', sides: [0.5] },
  { name: '1', sides: [1] },
  { name: '2', sides: [2] },
  { name: '3', sides: [3] },
  { name: '2 ⊕ 1', sides: [2, 1] },
  { name: '2 ⊕ 2', sides: [2, 2] },
  { name: '2 ⊕ 2 ⊕ 2', sides: [2, 2, 2] },
]
const colors = ['#b8860b', '#c2410c', '#1d4ed8', '#0f766e', '#7c3aed', '#be185d', '#475569']

/**
 * @param {number} from
 * @param {number} to
 */
const steps = (from, to, count = 201) =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1))

/**
 * @param {string} file
 * @param {string} title
 * @param {{ x: number, y: number, name: string }[]} points
 * @param {string} x
 * @param {string} y
 * @param {number} top
 */
function draw(file, title, points, x, y, top) {
  const names = [...new Set(points.map(({ name }) => name))]
  const all = ['v² (fixed)', ...penalties.map(({ name }) => name)]
  const range = names.map((name) => ['#111827', ...colors][all.indexOf(name)] ?? '#111827')
  // The curves' names at their right ends, moved apart where they would overlap.
  const ends = names
    .flatMap((name) => points.filter((point) => point.name === name).slice(-1))
    .filter(({ y }) => y <= top)
    .sort((p, q) => p.y - q.y)
  for (const [i, end] of ends.entries()) {
    const below = ends[i - 1]
    if (below) ends[i] = { ...end, y: Math.max(end.y, below.y + 0.047 * top) }
  }
  const svg = Plot.plot({
    document,
    width: 640,
    height: 360,
    marginRight: 92,
    marginTop: 28,
    style: { fontSize: '13px', background: 'white', color: '#111827' },
    grid: true,
    color: { domain: names, range },
    x: { label: x },
    y: { label: y, domain: [0, top] },
    marks: [
      Plot.lineY(points, { x: 'x', y: 'y', stroke: 'name', strokeWidth: 1.8, clip: true }),
      Plot.text(ends, { x: 'x', y: 'y', text: 'name', fill: 'name', textAnchor: 'start', dx: 6 }),
      // Curves that leave through the top are named there.
      Plot.text(
        names.flatMap((name) => {
          const own = points.filter((point) => point.name === name)
          const out = own.find(({ y }) => y > top)
          return out ? [{ ...out, y: top }] : []
        }),
        { x: 'x', y: 'y', text: 'name', fill: 'name', dy: -8 },
      ),
    ],
  })
  const caption = document.createElementNS('http://www.w3.org/2000/svg', 'title')
  caption.textContent = title
  svg.prepend(caption)
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  svg.setAttribute('role', 'img')
  writeFileSync(join(root, 'docs', file), `${svg.outerHTML}\n`)
}

const stretches = steps(1, 3)
draw(
  'penalties-omega.svg',
  'The price ω of a stretch z: powers of |z − 1|, and stretches shared by two or three sides',
  penalties.flatMap(({ name, sides }) => {
    const { value } = combinedPenalty(stretches, sides)
    return stretches.map((x, i) => ({ x, y: value[i], name }))
  }),
  'stretch z',
  'ω(z)',
  3,
)

const values = steps(0, 5)
draw(
  'penalties-effective.svg',
  'The effective penalty ω̃ on a singular value v of B',
  [
    ...values.map((x) => ({ x, y: x * x, name: 'v² (fixed)' })),
    ...penalties.flatMap(({ name, sides }) => {
      const { value } = penaltyOf(values, sides)
      return values.map((x, i) => ({ x, y: value[i], name }))
    }),
  ],
  'singular value v',
  'ω̃(v)',
  8,
)

draw(
  'penalties-stretch.svg',
  'How far a singular value v is stretched: the product of z over the sides',
  penalties.flatMap(({ name, sides }) => {
    const { z } = penaltyOf(values, sides)
    return values.map((x, i) => ({
      x,
      y: z.reduce(
        (/** @type {number} */ p, /** @type {Float64Array} */ side) => p * (side[i] ?? 1),
        1,
      ),
      name,
    }))
  }),
  'singular value v',
  'z',
  6.2,
)
