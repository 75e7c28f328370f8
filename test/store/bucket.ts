// A bucket service of the test's own: what of S3's language a store uses, as its documentation says it. Signatures
// are computed again from the request (AWS Signature Version 4), and pages of lists are short.
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export const keys = { AWS_ACCESS_KEY_ID: 'TESTKEY', AWS_SECRET_ACCESS_KEY: 'tell-nobody' }
const pageLength = 3

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')

/** Is the request signed by who knows the secret? */
function isSigned({ method, headers }: IncomingMessage, url: URL): boolean {
  const match =
    /^AWS4-HMAC-SHA256 Credential=TESTKEY\/(\d+)\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      headers.authorization ?? '',
    )
  if (!match) return false
  const [, day = '', region = '', signed = '', signature] = match
  const query = [...url.searchParams]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort()
    .join('&')
  const lines = signed.split(';').map((name) => `${name}:${headers[name]}`)
  const payload = headers['x-amz-content-sha256'] as string
  const request = [method, url.pathname, query, ...lines, '', signed, payload].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(request)].join('\n')
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${keys.AWS_SECRET_ACCESS_KEY}`,
  )
  return hmac(key, text).toString('hex') === signature
}

/** 20261130T000000Z */
function signedAt({ headers }: IncomingMessage): number {
  const [, ...parts] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(String(headers['x-amz-date'])) ?? []
  const [year = 0, month = 0, ...rest] = parts.map(Number)
  return Date.UTC(year, month - 1, ...(rest as [number]))
}

export class OwnBucket {
  /** By name in the one bucket, `store`. */
  readonly objects = new Map<string, Buffer>()
  /** Requests by method. */
  readonly counts = new Map<string, number>()
  /** So many of the next requests are answered with an error of the service. */
  failing = 0
  /** Milliseconds by which the service's clock is ahead. */
  ahead = 0
  address = ''
  #server = createServer((request, response) => void this.#answer(request, response))

  static async start(): Promise<OwnBucket> {
    const bucket = new OwnBucket()
    bucket.#server.listen(0, '127.0.0.1')
    await once(bucket.#server, 'listening')
    const { port } = bucket.#server.address() as { port: number }
    bucket.address = `http://127.0.0.1:${port}`
    return bucket
  }

  async end(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = Buffer.concat(parts)
    const url = new URL(request.url ?? '', this.address)
    const { method = '' } = request
    this.counts.set(method, (this.counts.get(method) ?? 0) + 1)
    const now = Date.now() + this.ahead
    const say = (status: number, text: string | Buffer = '', headers = {}) => {
      const all = { date: new Date(now).toUTCString(), ...headers }
      response.writeHead(status, all).end(method === 'HEAD' ? undefined : text)
    }
    const refuse = (status: number, code: string) =>
      say(status, `<Error><Code>${code}</Code></Error>`)
    if (this.failing > 0) {
      this.failing -= 1
      return refuse(503, 'SlowDown')
    }
    if (!isSigned(request, url)) return refuse(403, 'SignatureDoesNotMatch')
    if (Math.abs(signedAt(request) - now) > 900_000) return refuse(403, 'RequestTimeTooSkewed')
    if (!/^\/store(\/|$)/.test(url.pathname)) return refuse(404, 'NoSuchBucket')
    const key = decodeURIComponent(url.pathname.slice('/store/'.length))
    if (method === 'GET' && key === '') return say(200, this.#list(url.searchParams))
    const known = this.objects.get(key)
    if (method === 'PUT') {
      if (request.headers['if-none-match'] === '*' && known)
        return refuse(412, 'PreconditionFailed')
      this.objects.set(key, body)
      return say(200)
    }
    if (method === 'DELETE') {
      this.objects.delete(key)
      return say(204)
    }
    if (!known) return refuse(404, 'NoSuchKey')
    return say(200, known, { etag: `"${sha256(known).slice(0, 32)}"` })
  }

  #list(query: URLSearchParams): string {
    const prefix = query.get('prefix') ?? ''
    const after = query.get('continuation-token') ?? ''
    const all = [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .filter((key) => !query.has('delimiter') || !key.slice(prefix.length).includes('/'))
      .sort()
      .filter((key) => key > after)
    const page = all.slice(0, pageLength)
    const more =
      all.length > page.length
        ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>`
        : ''
    const entries = page.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')
    return `<ListBucketResult>${entries}${more}</ListBucketResult>`
  }
}
