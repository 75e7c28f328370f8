// Results of single runs as JSON files in a folder, so that an interrupted experiment goes on where
// it stopped.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Writes a file whole or not at all. */
export function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, content)
  renameSync(temporary, path)
}

export class Store {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /**
   * The result stored under this name for the same settings, or that of `run`, which is stored.
   * @param settings all that the result depends on: a run with others is another run.
   */
  async once<T>(name: string, settings: object, run: () => Promise<T>): Promise<T> {
    const known = this.peek<T>(name, settings)
    if (known !== undefined) return known
    const began = performance.now()
    const result = await run()
    const seconds = (performance.now() - began) / 1000
    const line = JSON.stringify({ settings, seconds: Number(seconds.toFixed(2)), result })
    write(this.path(name, settings), `${line}\n`)
    return result
  }

  /** What is stored, without running anything. */
  peek<T>(name: string, settings: object): T | undefined {
    const path = this.path(name, settings)
    if (!existsSync(path)) return undefined
    return (JSON.parse(readFileSync(path, 'utf8')) as { result: T }).result
  }

  path(name: string, settings: object): string {
    const key = createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 8)
    return join(this.folder, `${name}-${key}.json`)
  }
}
