// Every split's errors, in one file that grows as they come.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { write } from '../../examples/paper/store.js'
import type { Errors } from './judge.js'
import type { Task } from './task.js'

export const methods = ['fixed', 'one', 'two', 'always', 'gp', 'rfm', 'tuned', 'untouched'] as const
export type Method = (typeof methods)[number]

export interface SplitResult {
  task: string
  split: number
  /** Of the task's settings: a task that was changed is another. */
  key: string
  /** Labels. */
  samples: number
  errors: Partial<Record<Method, Errors>>
  chosen: Partial<Record<Method, Record<string, number | string>>>
  seconds: Partial<Record<Method, number>>
}

export class Results {
  readonly path: string
  private all: SplitResult[]

  constructor(path: string) {
    this.path = path
    this.all = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : []
  }

  /** The results of a task as it is now, by split. */
  of(task: Task): SplitResult[] {
    const found = this.all.filter((r) => r.task === task.name && r.key === keyOf(task))
    return found.sort((a, b) => a.split - b.split)
  }

  /** Takes the place of what the same split gave under other settings. */
  add(result: SplitResult): void {
    const { task, split } = result
    this.all = this.all.filter((each) => each.task !== task || each.split !== split)
    this.all.push(result)
    write(this.path, `[\n${this.all.map((each) => JSON.stringify(each)).join(',\n')}\n]\n`)
  }
}

export function keyOf({ settings, budget }: Task): string {
  const text = JSON.stringify({ settings, budget })
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
