// Searches for the setting of least error in a list that may not hold it.

/**
 * The rate of least error, the smaller of two equally good ones.
 * @param more rates tried beyond the list, in steps of about 3, while the best is at its end.
 */
export async function bestRate(
  rates: readonly number[],
  more: number,
  errorAt: (rate: number) => Promise<number>,
): Promise<number> {
  const tried: { rate: number; error: number }[] = []
  const attempt = async (rate: number) => {
    tried.push({ rate, error: await errorAt(rate) })
    tried.sort((a, b) => a.rate - b.rate)
  }
  for (const rate of rates) await attempt(rate)
  const best = () => tried.reduce((least, other) => (other.error < least.error ? other : least))
  for (let k = 0; k < more; k += 1) {
    const { rate } = best()
    if (rate === tried.at(-1)?.rate) await attempt(neighbour(rate, 1))
    else if (rate === tried[0]?.rate) await attempt(neighbour(rate, -1))
    else break
  }
  return best().rate
}

/** The next of …, 0.01, 0.03, 0.1, 0.3, … */
function neighbour(rate: number, step: 1 | -1): number {
  const place = Math.round(2 * Math.log10(rate)) + step
  return Number(`${place % 2 === 0 ? 1 : 3}e${Math.floor(place / 2)}`)
}

/**
 * The ridge of least error, the larger of two equally good ones: downwards from the one given until two
 * in a row are no better than the best, then upwards from it in the same way. So small ridges, which
 * make long fits, are only tried where they may help.
 * Ridges that will be tried in any case are asked for together: their fits share work.
 * @param ridges from the largest to the smallest.
 */
export async function bestRidge(
  ridges: readonly number[],
  from: number,
  errorsAt: (ridges: readonly number[]) => Promise<readonly number[]>,
): Promise<number> {
  const start = ridges.indexOf(from)
  const sides = [ridges.slice(start + 1), ridges.slice(0, start).reverse()]
  const errors = new Map<number, number>()
  const ask = async (wanted: readonly number[]) => {
    const found = await errorsAt(wanted)
    for (const [i, ridge] of wanted.entries()) errors.set(ridge, found[i] as number)
  }
  await ask([from, ...sides.flatMap((side) => side.slice(0, 2))])
  let best = { ridge: from, error: errors.get(from) as number }
  for (const side of sides) {
    let worse = 0
    for (const [i, ridge] of side.entries()) {
      if (!errors.has(ridge)) await ask(side.slice(i, i + 2 - worse))
      const error = errors.get(ridge) as number
      if (error < best.error || (error === best.error && ridge > best.ridge)) {
        best = { ridge, error }
        worse = 0
      } else worse += 1
      if (worse === 2) break
    }
  }
  return best.ridge
}
