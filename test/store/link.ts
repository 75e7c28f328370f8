// Between a worker and a service: the network, which can be interrupted.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export class Link {
  port = 0
  readonly #to: number
  readonly #sockets = new Set<Socket>()
  /** Nobody gets through: connections are refused, or nothing is heard on them. */
  #state: 'open' | 'refusing' | 'silent' = 'open'
  readonly #server = createServer((socket) => this.#connected(socket))

  private constructor(to: number) {
    this.#to = to
  }

  static async to(port: number): Promise<Link> {
    const proxy = new Link(port)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    proxy.port = (proxy.#server.address() as { port: number }).port
    return proxy
  }

  interrupt(silent: boolean): void {
    this.#state = silent ? 'silent' : 'refusing'
    for (const socket of this.#sockets) silent ? socket.pause() : socket.destroy()
  }

  /** What was sent meanwhile arrives. */
  restore(): void {
    this.#state = 'open'
    for (const socket of this.#sockets) socket.resume()
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #connected(socket: Socket): void {
    if (this.#state === 'refusing') {
      socket.destroy()
      return
    }
    const other = connect(this.#to, '127.0.0.1')
    const join = (from: Socket, to: Socket) => {
      this.#sockets.add(from)
      from.on('data', (part) => to.write(part))
      from.on('error', () => {})
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      if (this.#state === 'silent') from.pause()
    }
    join(socket, other)
    join(other, socket)
  }
}
