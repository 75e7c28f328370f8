// A Redis of the test's own, that keeps nothing when it ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'

const program = process.env.REDIS_SERVER ?? 'redis-server'
export const password = 'open-sesame'

/** A port that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export class OwnRedis {
  readonly port: number
  readonly address: string
  #server: ChildProcess | undefined

  constructor(port: number) {
    this.port = port
    this.address = `redis://:${password}@127.0.0.1:${port}`
  }

  static async start(): Promise<OwnRedis> {
    const redis = new OwnRedis(await freePort())
    await redis.begin()
    return redis
  }

  async begin(): Promise<void> {
    const how = ['--port', String(this.port), '--bind', '127.0.0.1', '--requirepass', password]
    const none = ['--save', '', '--appendonly', 'no', '--dir', tmpdir()]
    this.#server = spawn(program, [...how, ...none], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    for await (const text of this.#server.stdout as AsyncIterable<Buffer>) {
      said += text
      if (/Ready to accept connections/.test(said)) break
    }
    this.#server.stdout?.resume()
  }

  async end(): Promise<void> {
    const server = this.#server
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
}
