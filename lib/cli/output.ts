import { reason } from '../io/reasons.js'

/**
 * Standard output that may be closed or full: nothing that is printed ends the command, which has
 * files to write; what went wrong is told at the end.
 */
export class Output {
  #problem: string | undefined
  #printed = false

  constructor() {
    process.stdout.on('error', (error) => this.#fail(error))
    // Of those there is nowhere left to tell.
    process.stderr.on('error', () => {})
  }

  print(text: string): void {
    this.write(`${text}\n`)
  }

  /** The same without an end of the line. */
  write(text: string): void {
    this.#printed = true
    if (this.#problem === undefined) process.stdout.write(text)
  }

  /** Waits until all is out. @returns why it is not, if so. */
  async end(): Promise<string | undefined> {
    if (this.#printed && this.#problem === undefined) {
      await new Promise<void>((done) => {
        process.stdout.write('', (error) => {
          if (error) this.#fail(error)
          done()
        })
      })
    }
    return this.#problem
  }

  #fail(error: Error): void {
    this.#problem ??= reason(error)
  }
}
