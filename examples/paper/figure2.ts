// Figure 2: what a stretch costs and the effective penalty that it leaves on a singular value.
import { join } from 'node:path'
import * as Plot from '@observablehq/plot'
import { combinedPenalty, penaltyOf } from 'adaptive-tangent'
import type { Context } from './context.js'
import { page, picture } from './page.js'
import { write } from './store.js'

const penalties: readonly { name: string; sides: readonly number[]; color: string; at5: string }[] =
  [
    { name: '2', sides: [2], color: '#1d4ed8', at5: '6.2465' },
    { name: '1', sides: [1], color: '#c2410c', at5: '4.5260' },
    { name: '2 ⊕ 1', sides: [2, 1], color: '#7c3aed', at5: '3.3674' },
  ]

const steps = (from: number, to: number) =>
  Array.from({ length: 201 }, (_, i) => from + ((to - from) * i) / 200)

export function figure2({ out }: Context): void {
  const stretches = steps(1, 4)
  const values = steps(0, 5)
  const curve = (x: readonly number[], y: ArrayLike<number>, name: string, color: string) =>
    x.map((value, i) => ({ x: value, y: y[i] as number, name, color }))
  const costs = penalties.flatMap(({ name, sides, color }) =>
    curve(stretches, combinedPenalty(stretches, [...sides]).value, name, color),
  )
  const effective = [
    ...curve(
      values,
      values.map((v) => v * v),
      'v² (fixed)',
      '#111827',
    ),
    ...penalties.flatMap(({ name, sides, color }) =>
      curve(values, penaltyOf(values, [...sides]).value, name, color),
    ),
  ]
  const panel = (title: string, points: typeof costs, x: string, y: string, top: number) => {
    const ends = [...new Set(points.map(({ name }) => name))].map((name) => {
      const own = points.filter((point) => point.name === name)
      return own.findLast((point) => point.y <= top) as (typeof costs)[number]
    })
    return {
      title,
      width: 380,
      height: 300,
      options: {
        grid: true,
        marginRight: 70,
        marginBottom: 40,
        marginTop: 26,
        x: { label: x, labelAnchor: 'center', labelArrow: 'none' },
        y: { label: y, labelArrow: 'none', domain: [0, top] },
        marks: [
          Plot.line(points, {
            x: 'x',
            y: 'y',
            z: 'name',
            stroke: ({ color }: { color: string }) => color,
            strokeWidth: 1.8,
            clip: true,
          }),
          Plot.text(ends, {
            x: 'x',
            y: 'y',
            text: 'name',
            fill: ({ color }: { color: string }) => color,
            textAnchor: 'start',
            dx: 6,
          }),
        ],
      } satisfies Plot.PlotOptions,
    }
  }
  const svg = picture('Fig. 2: penalties on a stretch and on a singular value', [
    [
      panel('The price ω of a stretch', costs, 'stretch z', 'ω(z)', 6),
      panel('The effective penalty ω̃', effective, 'singular value v', 'ω̃(v)', 8),
    ],
  ])
  const at5 = penalties.map(({ name, sides, at5: paper }) => ({
    name,
    value: penaltyOf([5], [...sides]).value[0] as number,
    paper,
  }))
  write(join(out, 'fig2.svg'), svg)
  write(join(out, 'fig2.json'), `${JSON.stringify({ at5, costs, effective })}\n`)
  write(
    join(out, 'fig2.html'),
    page(
      'Penalties',
      'What stretching a feature direction costs, and the penalty on the singular values of a block that is left when every stretch is the best one.',
      [
        {
          svg,
          caption:
            'Fig. 2. p stands for ω(z) = |z − 1|^p; two sides share a stretch at the least price (⊕). Near 0 the effective penalty is that of ridge, v²; then it grows slower.',
        },
      ],
      {
        head: ['penalty', 'ω̃(5)', 'closed form'],
        rows: at5.map(({ name, value, paper }) => [name, value.toFixed(4), paper]),
      },
      'npm run paper -- fig2',
    ),
  )
}
