// A store in a bucket of S3 or of a service that speaks its language. Secrets come from the environment alone.
import { AwsClient } from 'aws4fetch'
import { TangentError } from '../core/errors.js'
import { type Storage, StorageAway, type Touching } from './storage.js'

const address = /^s3:\/\/([^/]+)\/?(.*?)\/*$/

export const isBucket = (path: string): boolean => address.test(path)

/** What is there already, and what another has put there meanwhile. */
const conflicts = new Set([409, 412])

/** Milliseconds between the clocks that every service takes; S3 takes 15 minutes. */
const mostApart = 240_000

export class BucketStorage implements Storage {
  readonly name: string
  readonly #client: AwsClient
  /** Address of the bucket, and the beginning of all names in it. */
  readonly #bucket: string
  readonly #prefix: string
  /** Milliseconds by which this machine's clock is ahead of the service's, as far as that matters. */
  #ahead = 0

  /** @throws TangentError BAD_ARGUMENT without keys. */
  constructor(path: string) {
    const [, bucket = '', prefix = ''] = address.exec(path) ?? []
    const { env } = process
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
    if (!accessKeyId || !secretAccessKey) {
      throw new TangentError(
        'BAD_ARGUMENT',
        `Expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment for ${path}`,
      )
    }
    const region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1'
    const sessionToken = env.AWS_SESSION_TOKEN
    this.#client = new AwsClient({
      ...{ accessKeyId, secretAccessKey, region, service: 's3', retries: 5 },
      ...(sessionToken ? { sessionToken } : {}),
    })
    const endpoint =
      env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL ?? `https://s3.${region}.amazonaws.com`
    this.name = path
    this.#bucket = `${endpoint.replace(/\/+$/, '')}/${bucket}`
    this.#prefix = prefix === '' ? '' : `${prefix}/`
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    const answer = await this.#ask('read', key, 'GET')
    if (answer.status === 404) return undefined
    return new Uint8Array(await answer.arrayBuffer())
  }

  /** Written once; in the place of what was damaged otherwise. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (await this.create(key, bytes)) return
    const there = await this.read(key)
    if (there && Buffer.from(there).equals(bytes)) return
    await this.touch(key, bytes)
  }

  async create(key: string, bytes: Uint8Array): Promise<boolean> {
    const answer = await this.#ask('write', key, 'PUT', bytes, { 'if-none-match': '*' })
    return !conflicts.has(answer.status)
  }

  /** Writes whatever is there: of leases, whose holder is one. */
  async touch(key: string, bytes: Uint8Array): Promise<void> {
    await this.#ask('write', key, 'PUT', bytes)
  }

  async any(): Promise<string | undefined> {
    const query = new URLSearchParams({ 'list-type': '2', 'max-keys': '1', prefix: this.#prefix })
    const text = await (await this.#ask('list', `?${query}`, 'GET')).text()
    const key = /<Key>([^<]*)<\/Key>/.exec(text)?.[1]
    return key === undefined ? undefined : plain(key).slice(this.#prefix.length)
  }

  async list(folder: string): Promise<string[]> {
    const prefix = `${this.#prefix}${folder === '' ? '' : `${folder}/`}`
    const names: string[] = []
    let token = ''
    do {
      const query = new URLSearchParams({ 'list-type': '2', delimiter: '/', prefix })
      if (token !== '') query.set('continuation-token', token)
      const text = await (await this.#ask('list', `?${query}`, 'GET')).text()
      for (const [, key = ''] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) {
        names.push(plain(key).slice(prefix.length))
      }
      token = plain(/<NextContinuationToken>([^<]*)</.exec(text)?.[1] ?? '')
    } while (token !== '')
    return names
  }

  async remove(key: string): Promise<void> {
    await this.#ask('remove', key, 'DELETE')
  }

  async mark(key: string): Promise<string | undefined> {
    const answer = await this.#ask('read', key, 'HEAD')
    return answer.status === 404 ? undefined : (answer.headers.get('etag') ?? '')
  }

  async free(): Promise<undefined> {
    return undefined
  }

  touching(key: string): Touching {
    return { kind: 'bucket', path: this.name, key }
  }

  /** Answers 404 and conflicts are the caller's. */
  async #ask(
    what: string,
    key: string,
    method: string,
    body?: Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const path = key.startsWith('?') ? key : `/${encodeURI(this.#prefix + key)}`
    const failed = (why: string) => `Cannot ${what} ${this.name}/${key}: ${why}.`
    const sent = { method, headers, ...(body ? { body: Buffer.from(body) } : {}) }
    for (let corrected = false; ; corrected = true) {
      let answer: Response
      try {
        answer = await this.#client.fetch(`${this.#bucket}${path}`, { ...sent, ...this.#dated() })
      } catch (cause) {
        const why = ((cause as Error).cause as Error | undefined)?.message
        throw new StorageAway(failed(why ?? (cause as Error).message), { cause })
      }
      const { status } = answer
      if (answer.ok || (status === 404 && what !== 'list') || conflicts.has(status)) return answer
      if (status === 403 && !corrected && this.#setClock(answer)) continue
      const code = /<Code>([^<]*)</.exec(await answer.text())?.[1] ?? answer.statusText
      const message = failed(`the service answers ${status}${code === '' ? '' : ` ${code}`}`)
      if (status >= 500 || status === 429) throw new StorageAway(message)
      throw new TangentError('FAILED', message)
    }
  }

  /** The time of a signature, by the service's clock where this machine's differs from it. */
  #dated(): { aws?: { datetime: string } } {
    if (this.#ahead === 0) return {}
    const now = new Date(Date.now() - this.#ahead).toISOString()
    return { aws: { datetime: now.replace(/[:-]|\.\d{3}/g, '') } }
  }

  /** @returns whether the refusal may be one for the time: the clocks differ by more than services take. */
  #setClock(answer: Response): boolean {
    const said = Date.parse(answer.headers.get('date') ?? '')
    const ahead = Date.now() - said
    if (!(Math.abs(ahead - this.#ahead) > mostApart)) return false
    this.#ahead = ahead
    return true
  }
}

/** A text of an XML file. */
const plain = (text: string) =>
  text.replace(/&(?:#(\d+)|(\w+));/g, (_, code, name) =>
    code ? String.fromCharCode(Number(code)) : (entities[name as string] ?? ''),
  )
const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
