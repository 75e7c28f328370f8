import { badArgument } from '../core/errors.js'
import type { KernelReport } from '../probe/stored.js'
import { figure } from './figure.js'
import { num, percent, plusMinus, unit, whole } from './format.js'
import { html, htmlHead, Markup } from './html.js'
import { legendOf } from './legend.js'
import { Plot } from './libraries.js'
import { script } from './script.js'
import { spectrumFrame } from './spectrum-frame.js'
import { style } from './style.js'

const [found, estimated] = ['var(--after)', 'var(--before)']

/**
 * The page of a kernel on disk: what {@link probeKernel} found, complete without its script.
 * @param report what `probeKernel` gave, or the contents of its `report.json`
 * @example
 * ```js
 * import { openKernel, probeKernel, renderKernel, writeNpy } from 'adaptive-tangent'
 *
 * await writeNpy('page.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
 * const kernel = await openKernel('page.npy')
 * const page = renderKernel(await probeKernel(kernel, { name: 'two samples' }))
 * console.log(page.startsWith('<!doctype html>'), page.includes('two samples'))
 * await kernel.close()
 * // true true
 * ```
 * @since 0.2.0
 */
export function renderKernel(report: KernelReport): string {
  if (report?.kind !== 'kernel') throw badArgument('report', 'what probeKernel gave', report)
  const title = html`The kernel ${report.name}`
  const generator = html`\n<meta name="generator" content="${report.software}">`
  return html`${htmlHead(title, style, generator, script)}
<body>
<header>
<p class="kicker">Adaptive tangent · kernel</p>
<h1>${title}</h1>
<p class="sub">A ${report.kernel} kernel of ${whole(report.shape[0] as number)} samples, (${report.shape.join(', ')}): read tile by tile, never whole in memory.</p>
</header>
<main>
<section id="spectrum-section"><h2>Eigenvalue spectrum</h2>
<div class="split"><figure>${spectrum(report)}</figure>
<div><ul class="facts">${facts(report).map((fact) => html`<li>${fact}</li>`)}</ul>
<p class="note">The largest eigenvalues are found one by one, by the block Lanczos method; how many lie above a value further down is estimated from random vectors. The effective rank is exp(−Σ p log p) with p the eigenvalues divided by their sum, the participation ratio (tr K)² / tr K².</p></div></div>
${table(report)}</section>
</main>
<footer><p>Made by ${report.software} on ${report.created.slice(0, 10)} in ${report.seconds.toFixed(1)} s. The same numbers for programs: report.json.</p></footer>
<script>${new Markup(script)}</script>
</body>
</html>
`.text
}

function facts(report: KernelReport): string[] {
  const { trace, norm, effectiveRank, participationRatio, topShare, eigenvalues, size } = report
  const { alignment, status, advice } = report
  return [
    `Trace ${num(trace)}, Frobenius norm ${num(norm)}.`,
    `Effective rank ${plusMinus(effectiveRank.value, effectiveRank.error)} of ${whole(size)}; participation ratio ${num(participationRatio)}.`,
    `The ${whole(eigenvalues.length)} largest eigenvalues carry ${percent(topShare)} of the trace.`,
    ...(status === 'converged' ? [] : [`Not all eigenvalues converged. ${advice}`]),
    ...(alignment
      ? [
          `Alignment with the target ${unit(alignment.cosine)}; ${unit(alignment.centred)} with the kernel centred (CKA).`,
        ]
      : []),
  ]
}

function spectrum(report: KernelReport): Markup {
  const exact = report.eigenvalues
    .map((value, k) => ({ rank: k + 1, value }))
    .filter(({ value }) => value > 0)
  if (exact.length === 0) return html`<p>No eigenvalue lies above 0.</p>`
  const last = exact.at(-1) as { rank: number; value: number }
  const rest = report.above
    .map(({ value, count }) => ({ rank: count.value, value }))
    .filter(({ rank, value }) => value < last.value && rank >= last.rank)
  const low = Math.min(...[...exact, ...rest].map(({ value }) => value))
  const most = exact[0]?.value as number
  const rows = [
    ...exact.map(({ rank, value }) => [rank, value, null]),
    ...rest.map(({ rank, value }) => [rank, null, value]),
  ]
  const legend = [
    { label: 'found', color: found },
    { label: 'estimated', color: estimated },
  ]
  return html`${rest.length > 0 && legendOf(legend)}${figure({
    id: 'spectrum',
    title: 'Eigenvalues of the kernel, on log axes',
    description: facts(report).join(' '),
    values: {
      columns: ['rank', 'found', 'estimated'],
      rows,
      hover: 'x',
      place: (row, column, scale) => [scale('x', rows[row]?.[0]), scale('y', rows[row]?.[column])],
      colors: [found, estimated],
    },
    ...spectrumFrame(report.size, [low, most]),
    marks: [
      Plot.line(rest, {
        ...{ x: 'rank', y: 'value', stroke: estimated, strokeWidth: 2, strokeDasharray: '5 4' },
      }),
      Plot.line(exact, { x: 'rank', y: 'value', stroke: found, strokeWidth: 2 }),
      Plot.dot(exact.length === 1 ? exact : [], { x: 'rank', y: 'value', fill: found }),
    ],
  })}`
}

function table({ eigenvalues, residuals }: KernelReport): Markup {
  return html`<details><summary>Numbers of the spectrum</summary><div class="scroll"><table>
<thead><tr><th scope="col">rank</th><th class="n" scope="col">eigenvalue</th><th class="n" scope="col">off by at most</th></tr></thead>
<tbody>${eigenvalues.map(
    (value, k) =>
      html`<tr><th scope="row">${whole(k + 1)}</th><td class="n">${num(value)}</td><td class="n">${num(residuals[k] as number, 2)}</td></tr>`,
  )}</tbody></table></div></details>`
}
