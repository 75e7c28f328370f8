import type { ProbeNetwork, ProbeReport } from '../../probe/types.js'
import { accuracyFacts, alignmentFacts, errorFact, layerFacts, spectrumFacts } from '../facts.js'
import { num, percent, unit, whole } from '../format.js'
import { html, type Markup } from '../html.js'
import type { Section } from '../section.js'
import { ends } from '../series.js'

interface Card {
  name: string
  value: (network: ProbeNetwork) => string | null
  note: string
}

function cards({ networks }: ProbeReport): Card[] {
  const rows = networks[0]?.spectrum.size ?? 0
  return [
    {
      name: 'Alignment with the labels',
      value: ({ alignment }) => alignment && unit(alignment.centred),
      note: 'centred; 1 is perfect',
    },
    {
      name: 'Effective rank',
      value: ({ spectrum }) => num(spectrum.effectiveRank),
      note: `exp(−Σ p log p), p = λ ÷ Σλ; at most ${whole(rows)}`,
    },
    { name: 'Trace', value: ({ trace }) => num(trace), note: 'squared gradients, summed' },
    {
      name: 'Samples classified right',
      value: ({ accuracy }) => (accuracy === null ? null : percent(accuracy)),
      note: 'largest output against the label',
    },
  ]
}

function card(report: ProbeReport, { name, value, note }: Card): Markup | null {
  const both = ends(report)
  const last = report.networks.at(-1)
  const after = last && value(last)
  if (!after) return null
  const before = both && value(both.before)
  return html`<div class="card"><dt>${name}</dt><dd>${
    before && html`<span class="was">${before}</span><span class="arrow" aria-label="to">→</span>`
  }<span class="is">${after}</span><small>${note}</small></dd></div>`
}

export const overview: Section = {
  id: 'overview',
  title: 'At a glance',
  render(report) {
    const facts = [
      alignmentFacts(report).slice(0, 2),
      layerFacts(report).slice(-1),
      spectrumFacts(report).slice(-1),
      accuracyFacts(report),
    ].flat()
    return html`<dl class="cards">${cards(report).map((entry) => card(report, entry))}</dl>
<ul class="facts">${facts.map((fact) => html`<li>${fact}</li>`)}</ul>
${errorFact(report) && html`<p class="note">${errorFact(report)}</p>`}`
  },
}
