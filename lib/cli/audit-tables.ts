// What an audit found, as tables.
import type { Audit, AuditQuery } from '../audit/types.js'

type Cell = number | null | undefined

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = rows.map((row) => row.map((cell) => cell ?? '').join(','))
  return `${[head.join(','), ...lines].join('\n')}\n`
}

/**
 * One line for each sample. Of classes the prediction is a label and the residual that of the label's own
 * output; of numbers both are those of the output that is farthest off.
 */
export function labelsTable({ labels, outputs, samples, chosen }: Audit): string {
  const { given, predicted, suspicion, predictions, residuals, classes } = labels
  const columns = chosen ?? Array.from({ length: outputs }, (_, o) => o)
  const rows = Array.from({ length: samples }, (_, i): Cell[] => {
    const own = residuals.data.subarray(i * outputs, (i + 1) * outputs)
    const worst = own.reduce(
      (most, value, o) => (Math.abs(value) > Math.abs(own[most] as number) ? o : most),
      0,
    )
    const label = given?.[i]
    const place = classes && outputs > 1 ? columns.indexOf(label as number) : worst
    const told = predicted ? predicted[i] : predictions.data[i * outputs + place]
    return [i, label, told, own[place], suspicion[i], columns[place]]
  })
  return table(['sample', 'label', 'loo_prediction', 'loo_residual', 'suspicion', 'output'], rows)
}

export function samplesTable({ train, samples, outputs }: Audit): string {
  const mean = (values: Float64Array, i: number) =>
    values.subarray(i * outputs, (i + 1) * outputs).reduce((sum, value) => sum + value, 0) / outputs
  const alone = new Set(train.unsupported)
  const rows = Array.from({ length: samples }, (_, i): Cell[] => [
    ...[i, mean(train.leverage.data, i), mean(train.variance.data, i), train.support[i]],
    ...[Number(alone.has(i)), train.nearest[i], train.similarity[i]],
  ])
  return table(
    ['sample', 'leverage', 'loo_variance', 'support', 'stands_alone', 'nearest', 'similarity'],
    rows,
  )
}

export function duplicatesTable({ train, labels }: Audit): string {
  const rows = train.duplicates.map(({ first, second, similarity, distance }): Cell[] => [
    ...[first, second, similarity, distance, labels.given?.[first], labels.given?.[second]],
  ])
  return table(['first', 'second', 'similarity', 'distance', 'first_label', 'second_label'], rows)
}

export function queryTable(query: AuditQuery): string {
  const outputs = query.predictions.shape[1] as number
  const rows = Array.from({ length: query.samples }, (_, q): Cell[] => {
    const output = query.output[q] as number
    const value = query.predictions.data[q * outputs + output]
    const near = [query.nearest[q], query.similarity[q]]
    return [q, query.score[q], ...near, query.typical[q], output, value]
  })
  return table(
    ['sample', 'variance', 'nearest', 'similarity', 'typical', 'output', 'prediction'],
    rows,
  )
}
