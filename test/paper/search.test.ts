// The searches for rates and ridges, on errors that are known.
import test from 'ava'
import { bestRate, bestRidge } from '../../examples/paper/search.js'

/** An error with one least value, and what was asked of it. */
function errors(least: number) {
  const asked: number[] = []
  const at = async (value: number) => {
    asked.push(value)
    return Math.abs(Math.log10(value / least))
  }
  return { asked, at }
}

test('a rate inside the list is found with the list alone', async (t) => {
  const { asked, at } = errors(0.03)
  t.is(await bestRate([0.01, 0.03, 0.1], 3, at), 0.03)
  t.deepEqual(asked, [0.01, 0.03, 0.1])
})

test('the list of rates goes on past its end, as far as it may', async (t) => {
  const up = errors(1)
  t.is(await bestRate([0.01, 0.03, 0.1], 5, up.at), 1)
  t.deepEqual(up.asked.slice(3), [0.3, 1, 3])
  const down = errors(1e-4)
  t.is(await bestRate([0.001, 0.003, 0.01], 5, down.at), 1e-4)
  t.deepEqual(down.asked.slice(3), [3e-4, 1e-4, 3e-5])
  const short = errors(100)
  t.is(await bestRate([0.01, 0.03, 0.1], 2, short.at), 1)
})

test('of equally good settings the smaller rate and the larger ridge', async (t) => {
  const same = async () => 0.5
  t.is(await bestRate([0.01, 0.03, 0.1], 0, same), 0.01)
  t.is(await bestRidge([3, 1, 0.3, 0.1], 1, async (some) => some.map(() => 0.5)), 3)
})

test('a ridge is searched downwards, then upwards, two steps past the best', async (t) => {
  const ridges = [30, 10, 3, 1, 0.3, 0.1, 0.03, 0.01]
  const search = async (least: number) => {
    const { asked, at } = errors(least)
    const calls: number[] = []
    const found = await bestRidge(ridges, 1, (some) => {
      calls.push(some.length)
      return Promise.all(some.map(at))
    })
    return { found, asked, calls }
  }
  // Those next to the first, then as many as are needed whatever they say.
  const down = await search(0.1)
  t.is(down.found, 0.1)
  t.deepEqual(down.asked, [1, 0.3, 0.1, 3, 10, 0.03, 0.01])
  t.deepEqual(down.calls, [5, 2])
  const up = await search(10)
  t.is(up.found, 10)
  t.deepEqual(up.asked, [1, 0.3, 0.1, 3, 10, 30])
})

test('no ridge is tried that a search one by one would not try', async (t) => {
  const ridges = [30, 10, 3, 1, 0.3, 0.1, 0.03, 0.01]
  for (let pattern = 0; pattern < 200; pattern += 1) {
    // Errors in no order at all.
    const at = (ridge: number) => (ridges.indexOf(ridge) * 7919 * (pattern + 1)) % 13
    const [together, single] = [new Set<number>(), new Set<number>()]
    const found = await bestRidge(ridges, 1, async (some) => {
      for (const ridge of some) together.add(ridge)
      return some.map(at)
    })
    let best = 1
    single.add(best)
    for (const side of [
      [0.3, 0.1, 0.03, 0.01],
      [3, 10, 30],
    ]) {
      let worse = 0
      for (const ridge of side) {
        if (worse === 2) break
        single.add(ridge)
        const gain = at(best) - at(ridge)
        worse = gain > 0 || (gain === 0 && ridge > best) ? 0 : worse + 1
        if (worse === 0) best = ridge
      }
    }
    t.is(found, best)
    t.deepEqual([...together].sort(), [...single].sort())
  }
})
