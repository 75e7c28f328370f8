import type { ProbeReport } from '../probe/types.js'
import { classCount, whole } from './format.js'
import { html, htmlHead, Markup } from './html.js'
import { script } from './script.js'
import { sections } from './sections/index.js'
import { ends } from './series.js'
import { style } from './style.js'
import { sampleData, thumbnailStyle } from './thumbnails.js'

function heading(report: ProbeReport): Markup {
  const both = ends(report)
  return both
    ? html`From ${both.before.name} to ${both.after.name}: what changed in the tangent kernel`
    : html`The tangent kernel of ${report.networks[0]?.name}`
}

function subtitle({ samples, target, networks }: ProbeReport): Markup {
  return html`${whole(samples)} samples${
    target?.kind === 'classes' && `, ${classCount(target.classes.length)}`
  }. ${
    networks.length > 1 &&
    html`Networks are compared in the order given: ${networks.length === 2 ? '“before” is the first, “after” the second' : 'the first is compared with the last'}. `
  }The tangent kernel of two samples is the inner product of the network’s gradients with respect to its parameters, exact, at these weights.`
}

/**
 * The report as one HTML page: figures as inline SVG, complete without its script, which shows
 * values on hover; no request to anywhere.
 *
 * @param report - what `probe` gave, or the contents of a report.json
 * @example
 * ```js
 * import { buildMlp, Network, probe, renderReport } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
 * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
 * const page = renderReport(await probe([{ name: 'mlp', network }], x))
 * console.log(page.startsWith('<!doctype html>'))
 * await network.dispose()
 * // true
 * ```
 * @since 0.1.0
 */
export function renderReport(report: ProbeReport): string {
  const parts = sections.flatMap(({ id, title, render }) => {
    const body = render(report)
    return body ? [{ id, title, body }] : []
  })
  const seconds = report.networks.reduce((sum, network) => sum + network.seconds, 0)
  const generator = html`\n<meta name="generator" content="${report.software}">`
  return html`${htmlHead(heading(report), style + thumbnailStyle(report), generator, script)}
<body>
<header>
<p class="kicker">Adaptive tangent · probe</p>
<h1>${heading(report)}</h1>
<p class="sub">${subtitle(report)}</p>
<nav aria-label="Sections">${parts.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
</header>
<main>
${parts.map(({ id, title, body }) => html`<section id="${id}"><h2>${title}</h2>\n${body}</section>\n`)}
</main>
<footer><p>Made by ${report.software} on ${report.created.slice(0, 10)}; kernels computed in ${seconds.toFixed(1)} s. All sums are sums, not means. The same numbers for programs: report.json. Figures are explained in docs/report.md.</p></footer>
${sampleData(report)}
<script>${new Markup(script)}</script>
</body>
</html>
`.text
}
