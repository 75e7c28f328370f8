import {
  type AuditPictures,
  type AuditShown,
  checkAudit,
  classNamesOf,
  shownOf,
} from '../audit/pictures.js'
import type { Audit, AuditQuery } from '../audit/types.js'
import { checkCall } from '../core/options.js'
import type { ProbeThumbnails } from '../probe/thumbnails.js'
import { figure } from './figure.js'
import { num, percent, whole } from './format.js'
import { html, htmlHead, Markup } from './html.js'
import { legendOf } from './legend.js'
import { libraries, Plot } from './libraries.js'
import { script } from './script.js'
import { style } from './style.js'

/** Options of {@link renderAudit}. */
export interface AuditPageOptions {
  /** The samples that are shown; see {@link auditPictures}. */
  pictures?: AuditPictures | undefined
  /** Names of the classes, by label. */
  classNames?: readonly string[] | undefined
}

/** What the parts of the page draw. */
interface View {
  audit: Audit
  shown: AuditShown
  /** A training sample, and one of the query, with a line or two beneath. */
  own(sample: number, lines: readonly string[]): Markup
  other(sample: number, lines: readonly string[]): Markup
  label(value: number | null | undefined): string
}

const ownStyle = `
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); gap: 14px 10px; margin: 8px 0 16px; padding: 0; list-style: none; }
.samples figure { font-size: 13px; }
.samples img { display: block; width: 84px; max-width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; background: var(--raised); border-radius: 4px; }
.samples .text { display: block; max-height: 84px; overflow: hidden; font-size: 12px; background: var(--raised); border-radius: 4px; padding: 4px 6px; overflow-wrap: anywhere; }
.samples figcaption { font-weight: 400; font-size: 13px; margin: 4px 0 0; color: var(--soft); }
.samples figcaption b { color: var(--ink); font-weight: 600; }
.voices { display: grid; grid-template-columns: 112px 1fr 1fr; gap: 10px 18px; align-items: start; border-top: 1px solid var(--line); padding-top: 10px; margin-top: 10px; }
.voices .samples { grid-template-columns: repeat(4, minmax(0, 1fr)); margin: 4px 0; }
.voices > .samples { grid-template-columns: 1fr; }
.voices h4 { margin: 0; font-size: 13px; font-weight: 600; color: var(--soft); }
@media (max-width: 620px) { .voices { grid-template-columns: 1fr; } }
`

/**
 * An audit as one HTML page: complete without its script, no request to anywhere, pictures and figures inside.
 *
 * @param audit - what `audit` gave
 * @since 0.2.0
 * @example
 * ```js
 * import { audit, buildMlp, Network, renderAudit } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [32], outputs: 1 }))
 * const x = { data: Float32Array.from({ length: 20 }, (_, i) => i / 10 - 0.95), shape: [20, 1] }
 * const y = { data: x.data.map((value) => value ** 2), shape: [20, 1] }
 * const page = renderAudit(await audit(network, x, y))
 * console.log(page.startsWith('<!doctype html>'))
 * await network.dispose()
 * // true
 * ```
 */
export function renderAudit(audit: Audit, options: AuditPageOptions = {}): string {
  checkCall(options)
  checkAudit(audit)
  const { pictures } = options
  const named = classNamesOf(audit.labels.classes, options.classNames)
  const view: View = {
    audit,
    shown: shownOf(audit),
    own: sampleIn(pictures?.train, 'sample'),
    other: sampleIn(pictures?.query, 'query'),
    label: (value) => (value == null ? '' : (named.get(value) ?? String(value))),
  }
  const parts = sections.flatMap(({ id, title, render }) => {
    const body = render(view)
    return body ? [{ id, title, body }] : []
  })
  const title = html`Audit of ${whole(audit.samples)} samples`
  const generator = html`\n<meta name="generator" content="${audit.software}">`
  return html`${htmlHead(title, style + ownStyle, generator, script)}
<body>
<header>
<p class="kicker">Adaptive tangent · audit</p>
<h1>${title}</h1>
<p class="sub">Which targets do the other samples contradict, which samples are nearly the same or stand alone${
    audit.query &&
    ', how far are other samples from all of these, and what do predictions of them rest on'
  }? Answered by kernel ridge regression on ${audit.features === 'fixed' ? 'the network’s tangent features' : 'adapted tangent features'}.</p>
<nav aria-label="Sections">${parts.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
</header>
<main>
${parts.map(({ id, title, body }) => html`<section id="${id}"><h2>${title}</h2>\n${body}</section>\n`)}
</main>
<footer><p>Made by ${audit.software} on ${audit.created.slice(0, 10)}. The same numbers for programs: audit.json and the arrays next to it. Explained in docs/audit.md.</p></footer>
<script>${new Markup(script)}</script>
</body>
</html>
`.text
}

interface Part {
  id: string
  title: string
  render(view: View): Markup | null
}

/** A sample with its picture or text, its number and lines beneath. */
function sampleIn(found: ProbeThumbnails | null | undefined, word: string) {
  return (sample: number, lines: readonly string[]): Markup => {
    const text = lines.map((line) => html`<br>${line}`)
    return html`<figure>${look(found, sample)}<figcaption><b>${word} ${sample}</b>${text}</figcaption></figure>`
  }
}

function look(found: ProbeThumbnails | null | undefined, sample: number): Markup | null {
  const at = found?.samples.indexOf(sample) ?? -1
  if (!found || at < 0) return null
  const { picture, texts } = found
  if (!picture) return texts ? html`<span class="text">${texts[at]}</span>` : null
  const { width, height, channels, data } = picture
  const size = width * height * channels
  const pixels = new Uint8Array(Buffer.from(data, 'base64').subarray(at * size, (at + 1) * size))
  const bytes = libraries.encode({ width, height, data: pixels, depth: 8, channels })
  const address = `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`
  return new Markup(`<img alt="" src="${address}">`)
}

const grid = (samples: readonly Markup[]) =>
  html`<ul class="samples">${samples.map((each) => html`<li>${each}</li>`)}</ul>`

const overview: Part = {
  id: 'overview',
  title: 'What was asked',
  render({ audit, label }) {
    const { labels, ridge, choice, evidence, train } = audit
    const rows = audit.samples * audit.outputs
    const chosen = choice
      ? `, the one of least leave-one-out error (${choice.of === 'kernel' ? 'of all rows' : `of ${whole(choice.rows)} samples, on the kernel’s mean over the outputs`})`
      : ', as given'
    const right = labels.given?.filter((given, i) => given === labels.predicted?.[i]).length
    const error = meanSquare(labels.residuals.data)
    return html`<ul class="facts">
<li>${whole(audit.samples)} samples × ${whole(audit.outputs)} outputs: ${whole(rows)} rows of the kernel; ridge ${num(ridge)}${chosen}.</li>
<li>Left out, ${
      right === undefined
        ? html`the targets are predicted with a root mean square error of ${num(Math.sqrt(error))}.`
        : html`${percent(right / audit.samples)} of the samples are put into the class of their label${labels.classes && ` (${labels.classes.map(label).join(', ')})`}.`
    }</li>
<li>${audit.leaveOneOut.note}</li>
<li>Log evidence ${num(evidence.log, 5)} with a prior variance of ${num(evidence.prior)} and noise of standard deviation ${num(Math.sqrt(evidence.noise))}.</li>
<li>${whole(train.duplicates.length)} pairs of near-duplicates; ${whole(train.unsupported.length)} samples that stand alone.</li>
</ul>`
  },
}

const meanSquare = (values: Float64Array) =>
  values.reduce((sum, value) => sum + value * value, 0) / values.length

const suspects: Part = {
  id: 'labels',
  title: 'Suspicious targets',
  render({ audit, shown, own, label }) {
    const { labels } = audit
    const { given, predicted, suspicion, targets, predictions } = labels
    const outputs = audit.outputs
    const told = (i: number): string[] => {
      const score = `suspicion ${num(suspicion[i] as number)}`
      if (given) return [`${label(given[i])} → ${label(predicted?.[i])}`, score]
      const at = i * outputs
      const numbers = [targets, predictions].map(({ data }) => num(data[at] as number))
      return [
        outputs === 1 ? `${numbers[0]} → ${numbers[1]}` : `first output ${numbers.join(' → ')}`,
        score,
      ]
    }
    return html`<p>Each sample is predicted by the model of all others. ${
      given
        ? 'Suspicion is by how much another class is preferred to the label'
        : 'Suspicion is how far the target is from that prediction'
    }, in standard deviations of what such a model expects. The most suspicious first, target → prediction.</p>
${grid(shown.suspects.map((i) => own(i, told(i))))}
${histogram('suspicion', 'Suspicion of all samples', 'suspicion', [{ name: 'samples', values: suspicion }])}`
  },
}

const pairs: Part = {
  id: 'duplicates',
  title: 'Near-duplicates',
  render({ audit, shown, own, label }) {
    if (shown.pairs.length === 0) return null
    const { given } = audit.labels
    const name = (i: number) => (given ? [label(given[i])] : [])
    return html`<p>Pairs whose features, each divided by its size, are far nearer than a sample’s nearest neighbour usually is. Those of different labels are mistakes or hard to tell; those in both a training and a test set make a test too easy.</p>
${shown.pairs.map(
  ({ first, second, similarity, distance }) =>
    html`<h4>cosine ${similarity.toFixed(5)}, ${num(distance, 2)} of the usual distance</h4>${grid([own(first, name(first)), own(second, name(second))])}`,
)}`
  },
}

const alone: Part = {
  id: 'alone',
  title: 'Samples that stand alone',
  render({ audit, shown, own, label }) {
    if (shown.alone.length === 0) return null
    const { given } = audit.labels
    const told = (i: number) => [
      ...(given ? [label(given[i])] : []),
      `explained ${percent(Math.max(0, audit.train.support[i] as number))}`,
    ]
    return html`<p>Of these the other samples say least: without them, the model’s variance there is far above what it is at other samples.</p>
${grid(shown.alone.map((i) => own(i, told(i))))}`
  },
}

const unknown: Part = {
  id: 'query',
  title: 'How unknown are the queries?',
  render({ audit, shown, other }) {
    const { query, train } = audit
    if (!query) return null
    const rows = train.variance.shape[1] as number
    const own = Float64Array.from({ length: audit.samples }, (_, i) =>
      mean(train.variance.data.subarray(i * rows, (i + 1) * rows)),
    )
    const told = (q: number) => [
      `variance ${num(query.score[q] as number)}`,
      `${percent(query.typical[q] as number)} of the training samples reach it`,
    ]
    return html`<p>The posterior variance at each query, next to that at each training sample when it is left out. A query far to the right is unlike all training samples, whatever the network says of it.</p>
${histogram('variance', 'Posterior variance', 'variance', [
  { name: 'training samples, left out', values: own },
  { name: 'queries', values: query.score },
])}
<h3>The farthest</h3>
${grid(shown.strange.map((q) => other(q, told(q))))}`
  },
}

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length

const rests: Part = {
  id: 'influence',
  title: 'What predictions rest on',
  render(view) {
    const { audit, shown } = view
    const { query } = audit
    if (!query) return null
    return html`<p>For some queries the training samples without which the highest output would fall the most (for), and rise the most (against). Numbers are f(x) with the sample less f(x) without it.</p>
${shown.explained.map((each) => voice(view, query, each))}`
  },
}

function voice(
  { audit, own, other, label }: View,
  query: AuditQuery,
  each: AuditShown['explained'][number],
): Markup {
  const { sample } = each
  const { given, classes } = audit.labels
  const output = query.output[sample] as number
  const column = audit.chosen?.[output] ?? output
  const value = query.predictions.data[sample * audit.outputs + output] as number
  const name =
    audit.outputs === 1
      ? classes
        ? label(classes[value < 0 ? 0 : 1])
        : ''
      : classes
        ? label(column)
        : `output ${column}`
  const told = (j: number) => [
    ...(given ? [label(given[j])] : []),
    num(query.influence.data[sample * audit.samples + j] as number),
  ]
  const side = (title: string, samples: readonly number[]) =>
    html`<div><h4>${title}</h4>${samples.length > 0 ? grid(samples.map((j) => own(j, told(j)))) : html`<p class="note">none</p>`}</div>`
  return html`<div class="voices">${grid([other(sample, [name, num(value)])])}${side('for', each.for)}${side('against', each.against)}</div>`
}

interface Values {
  name: string
  values: Float64Array
}

/** Bars of a histogram. */
const bars = 40

/** Shares of samples by value; logarithmic where groups are compared and all values are above 0. */
function histogram(id: string, title: string, axis: string, groups: readonly Values[]): Markup {
  const log = groups.length > 1 && groups.every(({ values }) => values.every((v) => v > 0))
  const shown = groups.map(({ values }) => (log ? values.map(Math.log10) : values))
  const finite = shown.flatMap((values) => [...values].filter(Number.isFinite))
  const low = finite.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const high = finite.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const width = (high - low) / bars || 1
  const shares = shown.map((values) => {
    const counts = new Float64Array(bars)
    for (const value of values) {
      const bar = Math.max(0, Math.min(bars - 1, Math.floor((value - low) / width)))
      counts[bar] = (counts[bar] as number) + 1 / values.length
    }
    return counts
  })
  const drawn = shares.flatMap((counts, g) =>
    Array.from(counts, (share, k) => ({
      ...{ x1: low + k * width, x2: low + (k + 1) * width },
      ...{ share, color: colors[g] as string },
    })).filter(({ share }) => share > 0),
  )
  const label = log ? `log₁₀ of the ${axis}` : axis
  const middles = Array.from({ length: bars }, (_, k) => low + (k + 0.5) * width)
  const legend = groups.map(({ name }, g) => ({ label: name, color: colors[g] as string }))
  return html`<figure><figcaption>${title}</figcaption>${groups.length > 1 && legendOf(legend)}${figure(
    {
      id: `${id}-histogram`,
      title,
      description: `Histogram of ${groups.map(({ name }) => name).join(' and ')}.`,
      values: {
        columns: [label, ...groups.map(({ name }) => `share of ${name}`)],
        rows: middles.map((middle, k) => [middle, ...shares.map((counts) => counts[k] as number)]),
        hover: 'x',
        place: (row, column, scale) => [
          scale('x', middles[row]),
          scale('y', shares[column - 1]?.[row]),
        ],
        colors: groups.map((_, g) => colors[g] as string),
      },
      width: 640,
      height: 230,
      marginBottom: 44,
      x: { label },
      y: { label: 'share of samples', grid: true },
      marks: [
        Plot.rectY(drawn, { x1: 'x1', x2: 'x2', y: 'share', fill: 'color', fillOpacity: 0.6 }),
      ],
    },
  )}</figure>`
}

const colors = ['var(--before)', 'var(--after)']

/** The page from top to bottom. */
const sections: readonly Part[] = [overview, suspects, pairs, alone, unknown, rests]
