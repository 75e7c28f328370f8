/**
 * Kernels are computed in float32, so the smallest eigenvalues are rounding: those below 1e-7 of
 * the largest, or below the size of the most negative one, which should not exist.
 */
function floor(eigenvalues: readonly number[]): number {
  return Math.max(1e-7 * (eigenvalues[0] ?? 0), -(eigenvalues.at(-1) ?? 0), 0)
}

/**
 * The points that a curve of eigenvalues, descending, needs on log axes: the first `dense` ones, then
 * `perUnit` for each factor of e in the rank.
 */
export function thinned(
  eigenvalues: readonly number[],
  dense = 40,
  perUnit = 60,
): { rank: number; value: number }[] {
  const least = floor(eigenvalues)
  const kept = new Map<number, number>()
  eigenvalues.forEach((value, at) => {
    const slot = at < dense ? at : dense + Math.round(perUnit * Math.log(at / dense))
    if (value > least && !kept.has(slot)) kept.set(slot, at)
  })
  const shown = [...kept.values()]
  const last = eigenvalues.findLastIndex((value) => value > least)
  if (last >= 0 && shown.at(-1) !== last) shown.push(last)
  return shown.map((at) => ({ rank: at + 1, value: eigenvalues[at] as number }))
}
