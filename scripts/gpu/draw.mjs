// The tables of docs/gpu.md from the gpu.json of a run on a card.
import { SetupError } from '../setup/run.mjs'

/** @param {{ seconds: number }[]} times */
const best = (times) => Math.min(...times.map(({ seconds }) => seconds))
/** @param {number} value */
const short = (value) =>
  value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)))

/**
 * Markdown. Of a dry run there is nothing to draw: its times are no card's.
 * @param {any} report
 */
export function drawn(report) {
  if (!report.device.startsWith('cuda'))
    throw new SetupError(`The results are of ${report.state}, and docs/gpu.md shows those of cards`)
  const { card, driver, machine, rates, steps, benchmark, date, commit } = report
  const lines = [
    `${card.card}, driver ${driver}, ${machine.processor} (${machine.cores} cores), ${date.slice(0, 10)}, ${commit}.`,
    '',
    '| step | passed | failed | seconds |',
    '| --- | --- | --- | --- |',
    ...steps.map((/** @type {any} */ { name, ok, passed, failed, seconds, note }) => {
      const counts = passed === undefined ? [ok ? 'yes' : 'no', ''] : [passed, failed]
      return `| ${[note && !ok ? `${name} (${note})` : name, ...counts, seconds].join(' | ')} |`
    }),
    '',
    '| workload | seconds | TFLOP/s | of cuBLAS | GB on the card | PyTorch, seconds | GB |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...benchmark.map((/** @type {any} */ { title, times, counts, cheapest, torch }) => {
      const seconds = best(times)
      const rate = (cheapest ?? counts.flops) / seconds
      const share = rates ? `${short((100 * rate) / rates.float32)} %` : ''
      const other =
        typeof torch === 'string'
          ? [torch, '']
          : [short(Math.min(...torch.times)), short(torch.peak / 1e9)]
      const own = [short(seconds), short(rate / 1e12), share, short(counts.mostBytes / 1e9)]
      return `| ${[title, ...own, ...other].join(' | ')} |`
    }),
  ]
  return lines.join('\n')
}
