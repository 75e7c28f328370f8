// One split of a task by all methods.
import { judge } from './judge.js'
import { fineTuning, type Outcome, tangentMethods, untouched } from './methods.js'
import { peerMethods } from './peers.js'
import { keyOf, type Method, type SplitResult } from './results.js'
import type { Task } from './task.js'

/** @param peers whether the methods in Python run, too */
export async function runSplit(task: Task, split: number, peers = true): Promise<SplitResult> {
  const drawn = await task.draw(split)
  const { network, fit } = drawn
  const samples = fit.x.shape[0] as number
  const key = keyOf(task)
  const result: SplitResult = {
    task: task.name,
    split,
    key,
    samples,
    errors: {},
    chosen: {},
    seconds: {},
  }
  const keep = (outcomes: Partial<Record<Method, Outcome>>, began: number) => {
    const names = Object.keys(outcomes) as Method[]
    const seconds = (performance.now() - began) / 1000
    for (const name of names) {
      const { prediction, chosen } = outcomes[name] as Outcome
      const { error, wrong } = judge(task, drawn, prediction)
      result.errors[name] = {
        error: short(error),
        ...(wrong !== undefined && { wrong: short(wrong) }),
      }
      if (chosen) result.chosen[name] = chosen
    }
    result.seconds[names[0] as Method] = Number(seconds.toFixed(2))
  }
  let began = performance.now()
  keep(await tangentMethods(drawn, task.budget), began)
  began = performance.now()
  if (peers) keep(peerMethods(drawn, task.budget), began)
  began = performance.now()
  keep({ tuned: await fineTuning(drawn, task.budget) }, began)
  keep({ untouched: await untouched(drawn) }, performance.now())
  await network.dispose()
  return result
}

const short = (value: number) => Number(value.toPrecision(4))
