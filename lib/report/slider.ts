import type { ProbeCheckpoint, ProbeFrame, ProbeTraining } from '../probe/training-types.js'
import type { ProbeReport } from '../probe/types.js'
import { figure } from './figure.js'
import { logTick, num, percent, unit } from './format.js'
import { heatmap } from './heatmap.js'
import { html, Markup } from './html.js'
import { Plot } from './libraries.js'
import { type ColorScale, scaled } from './raster.js'

/** How a checkpoint is called in texts. */
export const nameOf = ({ name, step, unit }: ProbeCheckpoint): string =>
  step === null || (name.toLowerCase().includes(unit) && name.includes(String(step)))
    ? name
    : `${name}, ${unit} ${step}`

/** Which frame is shown when which button is chosen: the page has no script. */
function rules(frames: number): Markup {
  const shown = Array.from(
    { length: frames },
    (_, at) => `#at-${at}:checked ~ .frames > :nth-child(${at + 1})`,
  )
  return new Markup(`<style>${shown.join(',')}{display:block}</style>`)
}

function spectrumFigure(
  { spectrum }: ProbeFrame,
  place: number,
  name: string,
  domain: { ranks: number; low: number; high: number },
): Markup {
  return figure({
    id: `frame-${place}-spectrum`,
    title: `Eigenvalues at ${name}, on log axes`,
    description: `The largest is ${num(spectrum[0]?.value ?? 0)}.`,
    values: {
      columns: ['eigenvalue', 'value'],
      rows: spectrum.map(({ rank, value }) => [rank, value]),
      hover: 'x',
      place: (row, _, scale) => [scale('x', spectrum[row]?.rank), scale('y', spectrum[row]?.value)],
      colors: ['var(--after)'],
    },
    width: 330,
    height: 210,
    marginLeft: 50,
    marginBottom: 38,
    x: {
      type: 'log',
      domain: [1, Math.max(2, domain.ranks)],
      label: 'rank of the eigenvalue',
      labelAnchor: 'center',
      labelArrow: 'none',
      ticks: 3,
      tickFormat: logTick,
    },
    y: {
      type: 'log',
      domain: [domain.low, domain.high],
      label: 'eigenvalue',
      labelArrow: 'none',
      grid: true,
      ticks: 4,
      tickFormat: logTick,
    },
    marks: [
      Plot.line(spectrum, { x: 'rank', y: 'value', stroke: 'var(--after)', strokeWidth: 2 }),
      Plot.dot(spectrum.length === 1 ? spectrum : [], {
        x: 'rank',
        y: 'value',
        fill: 'var(--after)',
      }),
    ],
  })
}

/** The values of one checkpoint, name and number. */
function valuesOf({ top }: ProbeTraining, { total, error }: ProbeCheckpoint): [string, string][] {
  const { learned, labels, initial, previous, split } = total
  const show = (value: number | null | undefined) => (value == null ? '–' : unit(value))
  const k = top.length - 1
  return [
    ...(labels
      ? ([
          ['alignment with the labels', show(labels.alignment)],
          ['the same, centred', show(labels.centred)],
        ] as [string, string][])
      : []),
    ...(learned
      ? ([
          ['alignment with K_ŷ', show(learned.alignment)],
          ['the same, centred', show(learned.centred)],
          ...(learned.energy[k] === undefined
            ? []
            : [[`ŷ in the top ${top[k]} eigenvectors`, percent(learned.energy[k])]]),
        ] as [string, string][])
      : []),
    ['distance from the start', initial.distance === null ? '–' : num(initial.distance)],
    ['turned from the start', initial.angle === null ? '–' : degrees(initial.angle)],
    ['turned since the checkpoint before', previous?.angle == null ? '–' : degrees(previous.angle)],
    ...(split
      ? ([
          ['w₀ · K₀', num(split.initial)],
          ['w₁ · K_ŷ', num(split.target)],
          ['rest', split.rest === null ? '–' : percent(split.rest)],
        ] as [string, string][])
      : []),
    ['participation ratio', num(total.participationRatio)],
    ['trace', num(total.trace)],
    ...(error === null ? [] : ([['wrong labels', percent(error)]] as [string, string][])),
  ]
}

const degrees = (angle: number) => `${num((angle * 180) / Math.PI, 3)}°`

/**
 * All frames on one place and a row of buttons that chooses among them: radio buttons, so that the
 * arrow keys walk through the training and no script is needed.
 */
export function slider(report: ProbeReport, training: ProbeTraining, scale: ColorScale): Markup {
  const { samples, groups } = report
  const frames = training.frames
  const spectra = frames.flatMap(({ spectrum }) => spectrum)
  const values = spectra.map(({ value }) => value)
  const domain = {
    ranks: Math.max(1, ...spectra.map(({ rank }) => rank)),
    low: Math.min(...values) / 1.2,
    high: Math.max(...values) * 1.2,
  }
  const of = (frame: ProbeFrame) => training.checkpoints[frame.index] as ProbeCheckpoint
  return html`<div class="slider" style="--frames:${frames.length}" role="radiogroup" aria-label="Checkpoint shown">${rules(frames.length)}
${frames.map(
  (frame, at) =>
    html`<input type="radio" name="checkpoint" id="at-${at}" aria-label="${nameOf(of(frame))}" title="${nameOf(of(frame))}"${new Markup(at === frames.length - 1 ? ' checked' : '')}>`,
)}
<div class="frames">${frames.map((frame, at) => {
    const checkpoint = of(frame)
    const name = nameOf(checkpoint)
    return html`<div class="frame"><p class="frame-name">${name} <small>${at + 1} of ${frames.length}</small></p><div class="frame-parts"><figure>${heatmap(
      scaled(frame.raster, checkpoint.total.trace / samples || 1),
      {
        id: `frame-${at}-kernel`,
        title: `Trace kernel at ${name}`,
        description: 'Divided by its own mean diagonal, on the colours of all checkpoints.',
        scale,
        groups,
        samples,
        side: 300,
      },
    )}</figure>${
      frame.spectrum.length > 0 && html`<figure>${spectrumFigure(frame, at, name, domain)}</figure>`
    }<table class="frame-values"><tbody>${valuesOf(training, checkpoint).map(
      ([what, value]) => html`<tr><th scope="row">${what}</th><td class="n">${value}</td></tr>`,
    )}</tbody></table></div></div>`
  })}</div></div>`
}
