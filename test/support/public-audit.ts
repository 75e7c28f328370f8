// The public calls of the audit, as in public-calls.ts.
import {
  type Audit,
  audit,
  auditPictures,
  deviationRows,
  fitFixed,
  influence,
  KernelPosterior,
  LaplacePosterior,
  lastLayer,
  type Network,
  type NetworkModel,
  renderAudit,
  sampledVariance,
  selfKernel,
} from '../../lib/index.js'
import { sourceOf } from '../../lib/io/index.js'
import { samples } from './networks.js'
import type { Call } from './public-calls.js'
import { Random } from './random.js'

const random = new Random(29)
const x = samples(random, [6, 3])
const u = samples(random, [6, 2])
const classes = { data: Int32Array.of(0, 1, 0, 1, 1, 0), shape: [6] }
const v = Float64Array.from({ length: 12 }, (_, e) => Math.sin(e))
const kernel = {
  data: Float32Array.from({ length: 144 }, (_, e) => (e % 13 === 0 ? 2 : 0.1)),
  shape: [6, 2, 6, 2],
}
const cross = { data: new Float32Array(24).fill(0.1), shape: [1, 2, 6, 2] }
const own = { data: Float32Array.of(2, 0.1, 0.1, 2), shape: [2, 2] }
const common = 'signal onProgress threads memory'

let network: Network
let posterior: KernelPosterior
let fitted: NetworkModel
let laplace: LaplacePosterior
let found: Audit

export async function setUpAudit(given: Network): Promise<void> {
  network = given
  fitted = await fitFixed(network, x, u, { ridge: 0.1 })
  found = await audit(network, x, u, { ridge: 0.1 })
  laplace = await LaplacePosterior.of(network, x, u, { structure: 'kron' })
  posterior = await KernelPosterior.of(kernel, v, { ridge: 0.1 })
}

// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are the matter here.
type Any = any

/** A call of the posterior at other samples. */
const asked = (name: 'predict' | 'influence' | 'representers'): [string, Call] => [
  `KernelPosterior.${name}`,
  {
    args: () => [cross, {}],
    call: (...a) => posterior[name](...(a as [Any])),
    options: 'base signal',
  },
]

export const auditCalls: Record<string, Call> = {
  audit: {
    args: () => [network, x, u, { query: x }],
    call: (...a) => audit(...(a as [Any, Any, Any])),
    options: `${common} outputs ridge query model duplicates`,
  },
  auditPictures: {
    args: () => [network, found, x, {}],
    call: (...a) => auditPictures(...(a as [Any, Any, Any])),
    options: 'query tokens',
  },
  renderAudit: {
    args: () => [found, {}],
    call: (...a) => renderAudit(...(a as [Any])),
    options: 'pictures classNames',
  },
  deviationRows: {
    args: () => [fitted, network, x, sourceOf(x), {}],
    call: async (...a) => {
      for await (const _ of deviationRows(...(a as [Any, Any, Any, Any])));
    },
    options: `${common} prior`,
  },
  influence: {
    args: () => [network, x, classes, x, { ridge: 0.1 }],
    call: (...a) => influence(...(a as [Any, Any, Any, Any])),
    options: `${common} method head labels ridge damping model metric`,
  },
  'LaplacePosterior.of': {
    args: () => [network, x, u, {}],
    call: (...a) => LaplacePosterior.of(...(a as [Any, Any, Any])),
    options: `${common} structure likelihood`,
  },
  'LaplacePosterior.predict': {
    args: () => [x, {}],
    call: (...a) => laplace.predict(...(a as [Any])),
    options: `${common} priorPrecision noise covariance`,
  },
  'LaplacePosterior.evidence': {
    args: () => [{}],
    call: (...a) => laplace.evidence(...a),
    options: 'priorPrecision noise signal',
  },
  'LaplacePosterior.choose': {
    args: () => [{}],
    call: (...a) => laplace.choose(...a),
    options: 'signal',
  },
  lastLayer: { args: () => [network], call: (...a) => lastLayer(...(a as [Any])) },
  sampledVariance: {
    args: () => [network, x, x, { ridge: 1, draws: 2, maxIterations: 3 }],
    call: (...a) => sampledVariance(...(a as [Any, Any, Any, Any])),
    options: `${common} ridge draws outputs tolerance maxIterations seed`,
  },
  selfKernel: {
    args: () => [network, x, {}],
    call: (...a) => selfKernel(...(a as [Any, Any])),
    options: `${common} nonFinite outputs block outputBlock kernel method`,
  },
  'KernelPosterior.of': {
    args: () => [kernel, v, { ridge: 0.1 }],
    call: (...a) => KernelPosterior.of(...(a as [Any, Any])),
    options: 'signal threads memory outputs ridge base precision',
  },
  'KernelPosterior.leaveOneOut': {
    args: () => [{}],
    call: (...a) => posterior.leaveOneOut(...a),
    options: 'signal',
  },
  'KernelPosterior.leverage': {
    args: () => [{}],
    call: (...a) => posterior.leverage(...a),
    options: 'signal',
  },
  'KernelPosterior.evidence': {
    args: () => [{}],
    call: (...a) => posterior.evidence(...a),
    options: 'prior',
  },
  'KernelPosterior.variance': {
    args: () => [cross, [2, 2], {}],
    call: (...a) => posterior.variance(...(a as [Any, Any])),
    options: 'signal',
  },
  'KernelPosterior.without': {
    args: () => [[1], cross, {}],
    call: (...a) => posterior.without(...(a as [Any, Any])),
    options: 'base signal',
  },
  'KernelPosterior.sample': {
    args: () => [cross, own, 2, {}],
    call: (...a) => posterior.sample(...(a as [Any, Any, Any])),
    options: 'base prior seed signal',
  },
  ...Object.fromEntries((['predict', 'influence', 'representers'] as const).map(asked)),
}
