import type { PlainMeasures } from '../../alignment/table.js'
import type { ProbeCheckpoint, ProbeTraining } from '../../probe/training-types.js'
import type { ProbeReport } from '../../probe/types.js'
import { colorOf, dashOf } from '../colors.js'
import { axisOf, type Curve, curveFigure, evenly, rangeOf } from '../curves.js'
import { num, percent, plusMinus, shortNames, times, unit, whole } from '../format.js'
import { colorBar, heatmap } from '../heatmap.js'
import { html, type Markup } from '../html.js'
import { legendOf } from '../legend.js'
import { type ColorScale, commonScale, scaled } from '../raster.js'
import type { Section } from '../section.js'
import { nameOf, slider } from '../slider.js'

/** Layers that get a small multiple of each measure, and kernels that are drawn side by side. */
const layerLimit = 8
const kernelLimit = 8

type Value = (measures: PlainMeasures) => number | null | undefined

interface Panel {
  id: string
  title: string
  /** What the values are, on the axis. */
  unit: string
  note?: string
  curves: { label: string; color: string; dash?: string; value: Value; error?: Curve['error'] }[]
  domain?: [number, number]
  log?: boolean
  /** Each layer gets a small one, too. */
  layers?: boolean
}

/** A curve by its place among those of a panel, which gives it a colour and dashes. */
const curve = (at: number, label: string, value: Value): Panel['curves'][number] => ({
  label,
  color: colorOf(at),
  // Orange alone is a full line; others have dashes.
  dash: at === 1 ? 'none' : dashOf(at || 1),
  value,
})

/** What is drawn of the whole kernel: a panel for each kind of measure. */
function panels({ top, learned, checkpoints }: ProbeTraining): Panel[] {
  const first = (checkpoints[0] as ProbeCheckpoint).total
  const of: 'learned' | 'labels' = learned ? 'learned' : 'labels'
  return [
    {
      id: 'along-alignment',
      title: 'Alignment',
      unit: 'cosine',
      ...(checkpoints.some(({ centred }) => centred?.standardError != null)
        ? { note: 'The band is two standard errors wide on each side.' }
        : {}),
      layers: true,
      curves: [
        ...(first.labels
          ? [
              {
                ...curve(1, 'labels, centred', (m) => m.labels?.centred),
                error: (one: ProbeCheckpoint) => one.centred?.standardError,
              },
              curve(4, 'labels', (m) => m.labels?.alignment),
            ]
          : []),
        ...(learned
          ? [
              curve(0, 'K_ŷ, centred', (m) => m.learned?.centred),
              curve(2, 'K_ŷ', (m) => m.learned?.alignment),
            ]
          : []),
      ],
    },
    {
      id: 'along-distance',
      title: 'Distance from the start',
      unit: '‖K − K₀‖ / ‖K₀‖',
      layers: true,
      curves: [curve(1, 'distance', (m) => m.initial.distance)],
    },
    {
      id: 'along-rotation',
      title: 'Turned from the start',
      unit: '1 − cos(K, K₀)',
      layers: true,
      curves: [
        curve(0, 'as it is', (m) => m.initial.rotation),
        curve(1, 'centred', (m) => (m.initial.centred === null ? null : 1 - m.initial.centred)),
      ],
    },
    {
      id: 'along-step',
      title: 'Turned since the checkpoint before',
      unit: '1 − cos(K, K before)',
      log: true,
      curves: [curve(1, 'turned', (m) => m.previous?.rotation)],
    },
    {
      id: 'along-rank',
      title: 'Participation ratio',
      unit: '(tr K)² / ‖K‖²',
      note: 'How many equal eigenvalues would give the trace kernel these two norms.',
      curves: [curve(1, 'participation ratio', (m) => m.participationRatio)],
    },
    {
      id: 'along-energy',
      title: `Share of ${learned ? 'ŷ − f₀' : 'the labels'} in the top eigenvectors`,
      unit: 'share',
      domain: [0, 1],
      curves: top.map((k, at) =>
        curve(at, `top ${whole(k)}`, (m: PlainMeasures) => m[of]?.energy[at]),
      ),
    },
    {
      id: 'along-split',
      title: 'Split of the kernel',
      unit: 'size over ‖K‖',
      layers: true,
      curves: splitCurves,
    },
    {
      id: 'along-margin',
      title: 'Diagonal near the boundary',
      unit: 'K(x, x) over its median',
      note: 'Near the boundary: the mean of the 5 % of samples with the least margin of ŷ.',
      layers: true,
      curves: [
        curve(0, 'largest', (m) => m.margin?.peak),
        curve(1, 'near the boundary', (m) => m.margin?.near),
      ],
    },
  ]
}

/** Sizes of the parts of K ≈ w_0 K_0 + w_1 K_ŷ + rest. */
const splitCurves: Panel['curves'] = [
  curve(0, 'w₀ K₀', (m) => m.split?.initialSize),
  curve(1, 'w₁ K_ŷ', (m) => m.split?.targetSize),
  curve(2, 'rest', (m) => m.split?.rest),
]

function curvesOf(panel: Panel, part: number): Curve[] {
  return panel.curves.map(({ value, error, ...rest }) => ({
    ...rest,
    // Standard errors are those of the whole kernel.
    error: part < 0 ? error : undefined,
    value: (checkpoint) =>
      value(part < 0 ? checkpoint.total : (checkpoint.parts[part] as PlainMeasures)),
  }))
}

function wholeKernel(training: ProbeTraining): Markup {
  return html`<div class="curves">${panels(training).map((panel) => {
    const { id, title, note, domain, log, unit } = panel
    const drawn = curveFigure(training, curvesOf(panel, -1), {
      ...{ id, title: `${title} of the whole kernel along training`, domain, log, unit },
      ...{ width: 330, height: 220 },
    })
    return (
      drawn &&
      html`<figure><figcaption>${title}</figcaption>${drawn}${note && html`<p class="note">${note}</p>`}</figure>`
    )
  })}</div>`
}

/** A row for each measure, a small picture for each layer, on one scale in a row. */
function byLayer(training: ProbeTraining): Markup | null {
  const { parts } = training
  if (parts.length < 2) return null
  const chosen = evenly(
    parts.map((name, at) => ({ name, at })),
    layerLimit,
  )
  const names = shortNames(parts, 16)
  const rows = panels(training).filter(({ layers }) => layers)
  return html`<h3>Layer by layer along training</h3>
<p>The same measures of each layer’s part of the kernel, from the input (left) to the output (right); in a row all have one scale.${
    parts.length > layerLimit &&
    ` Of ${parts.length} layers, ${layerLimit} are drawn, evenly over depth.`
  }</p>
${rows.map((panel) => {
  const ranges = chosen.flatMap(({ at }) => rangeOf(training, curvesOf(panel, at)) ?? [])
  if (ranges.length === 0) return null
  const domain: [number, number] = [Math.min(...ranges), Math.max(...ranges)]
  return html`<div class="strip"><div class="strip-name">${panel.title} <small class="note">${panel.unit} by ${axisOf(training).label}</small></div>${
    panel.curves.length > 1 && legendOf(panel.curves)
  }<div class="small-curves">${chosen.map(({ name, at }) => {
    const drawn = curveFigure(training, curvesOf(panel, at), {
      ...{
        id: `${panel.id}-${at}`,
        title: `${panel.title} of ${name} along training`,
        domain,
        unit: panel.unit,
      },
      ...{ width: 150, height: 104, small: true },
    })
    return (
      drawn &&
      html`<figure>${drawn}<figcaption title="${name}">${names.get(name)}</figcaption></figure>`
    )
  })}</div></div>`
})}`
}

function pictures(report: ProbeReport, training: ProbeTraining, scale: ColorScale): Markup {
  const { samples, groups } = report
  return html`<h3>The kernel at ${Math.min(kernelLimit, training.frames.length)} moments</h3>
<p>The trace kernel, each divided by its own mean diagonal, all on the same colours.</p>
<div class="small-pictures">${evenly(training.frames, kernelLimit).map((frame) => {
    const checkpoint = training.checkpoints[frame.index] as ProbeCheckpoint
    const name = nameOf(checkpoint)
    return html`<figure><figcaption>${checkpoint.step === null ? checkpoint.name : `${axisOf(training).label} ${checkpoint.step}`}</figcaption>${heatmap(
      scaled(frame.raster, checkpoint.total.trace / samples || 1),
      {
        ...{ id: `moment-${frame.index}`, title: `Trace kernel at ${name}` },
        ...{ description: 'Small picture on the colours of the others.', scale, groups, samples },
        side: 132,
      },
    )}</figure>`
  })}</div>`
}

/** One scale for all frames, as for the kernels before and after. */
function scaleOf(report: ProbeReport, training: ProbeTraining): ColorScale {
  const rasters = training.frames.map(({ index, raster }) => {
    const { trace } = (training.checkpoints[index] as ProbeCheckpoint).total
    return scaled(raster, trace / report.samples || 1)
  })
  return commonScale(rasters)
}

function facts(training: ProbeTraining): string[] {
  const { checkpoints, learned } = training
  const first = checkpoints[0] as ProbeCheckpoint
  const last = checkpoints.at(-1) as ProbeCheckpoint
  const texts: string[] = []
  const [from, to] = [first.total.labels?.centred, last.total.labels?.centred]
  if (from != null && to != null) {
    const { change } = last.centred ?? {}
    const error = change?.standardError
    const noise = error != null && Math.abs(to - from) <= 2 * error
    const size = change ? ` (${noise ? 'noise: ' : 'by '}${plusMinus(to - from, error)})` : ''
    texts.push(`Centred alignment with the labels went from ${unit(from)} to ${unit(to)}${size}.`)
  }
  const { distance, angle } = last.total.initial
  if (distance !== null && angle !== null) {
    texts.push(
      `At the end the kernel lies ${times(distance)} times its first size away from where it began, turned by ${num((180 * angle) / Math.PI)}°.`,
    )
  }
  const half = halfWay(checkpoints)
  if (half) texts.push(`Half of that turn was done at ${nameOf(half)}.`)
  const { split } = last.total
  if (learned && split?.rest != null && split.initialSize !== null && split.targetSize !== null) {
    texts.push(
      `By least squares the last kernel is ${num(split.initial)} · K₀ + ${num(split.target)} · K_ŷ + rest; their sizes are ${percent(split.initialSize)}, ${percent(split.targetSize)} and ${percent(split.rest)} of its own. ŷ is ${learned}.`,
    )
  }
  return texts
}

/** The first checkpoint whose kernel turned half as far from the first as the last one's did. */
function halfWay(checkpoints: readonly ProbeCheckpoint[]): ProbeCheckpoint | undefined {
  const end = checkpoints.at(-1)?.total.initial.angle ?? 0
  if (end <= 0 || checkpoints.length < 3) return undefined
  return checkpoints.find(({ total }) => (total.initial.angle ?? 0) >= end / 2)
}

function table(training: ProbeTraining): Markup {
  const show = (value: number | null | undefined) => (value == null ? '–' : num(value))
  return html`<details><summary>Numbers by checkpoint</summary><div class="scroll"><table>
<thead><tr><th>Checkpoint</th><th class="n">Labels, centred</th><th class="n">since the start</th><th class="n">K_ŷ</th><th class="n">K_ŷ, centred</th><th class="n">Distance</th><th class="n">1 − cos</th><th class="n">Participation ratio</th><th class="n">Rest</th></tr></thead><tbody>${evenly(
    training.checkpoints,
    100,
  ).map((checkpoint) => {
    const { labels, learned, initial, participationRatio, split } = checkpoint.total
    const { change } = checkpoint.centred ?? {}
    const cells = [learned?.alignment, learned?.centred, initial.distance]
    const values = [
      plusMinus(labels?.centred ?? Number.NaN, checkpoint.centred?.standardError),
      change ? plusMinus(change.value, change.standardError) : '–',
      ...cells.map(show),
      show(initial.rotation),
      num(participationRatio),
      show(split?.rest),
    ]
    return html`<tr><th scope="row">${nameOf(checkpoint)}</th>${values.map((value) => html`<td class="n">${value}</td>`)}</tr>`
  })}</tbody></table></div></details>`
}

export const training: Section = {
  id: 'training',
  title: 'Along training',
  render(report) {
    const { training: found } = report
    if (!found || found.checkpoints.length === 0) return null
    const scale = scaleOf(report, found)
    const count = found.checkpoints.length
    return html`<p>The trace kernel K at ${whole(count)} checkpoint${count === 1 ? '' : 's'}; K₀ is that of the first.${
      found.learned &&
      ` K_ŷ = (ŷ − f₀)(ŷ − f₀)ᵀ, ŷ being ${found.learned} and f₀ the first outputs.`
    }</p>
<ul class="facts">${facts(found).map((fact) => html`<li>${fact}</li>`)}</ul>
${wholeKernel(found)}
<h3>Walk through the checkpoints</h3>
<p>Choose a moment below; the arrow keys go to the next.</p>
${slider(report, found, scale)}
${colorBar('training-colors', 'kernel ÷ its mean diagonal', scale)}
${pictures(report, found, scale)}
${byLayer(found)}
${table(found)}`
  },
}
