import { logTick } from './format.js'

/**
 * Room and axes of a figure of eigenvalues by rank, both on log scales.
 * @param ranks the last of the ranks
 * @param values the smallest and the largest eigenvalue that is shown
 */
export function spectrumFrame(ranks: number, [least, most]: readonly [number, number]) {
  return {
    height: 330,
    marginLeft: 56,
    marginBottom: 42,
    marginTop: 24,
    x: {
      type: 'log',
      domain: [1, Math.max(2, ranks)],
      label: 'rank of the eigenvalue',
      tickFormat: logTick,
      labelAnchor: 'center',
      labelArrow: 'none',
    },
    y: {
      type: 'log',
      label: 'eigenvalue',
      labelArrow: 'none',
      tickFormat: logTick,
      grid: true,
      domain: least < most ? [least, most] : [most / 10, most * 10],
      nice: true,
    },
  } as const
}
