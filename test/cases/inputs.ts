// Float inputs of operators through which no derivative flows, and why.

const steps = 'what it makes is constant wherever it has a derivative'
const shapes = 'only its shape or its type is read'
const refused = 'refused by name when a parameter reaches it'

/** By operator the places of inputs. */
export const withoutDerivative: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  // Steps, comparisons, numbers of elements.
  ...Object.fromEntries(
    'ArgMax ArgMin Ceil Floor Hardmax IsInf IsNaN NonZero Round Sign'
      .split(' ')
      .map((op) => [op, { 0: steps }]),
  ),
  ...Object.fromEntries(
    'Equal Greater GreaterOrEqual Less LessOrEqual'
      .split(' ')
      .map((op) => [op, { 0: steps, 1: steps }]),
  ),
  NonMaxSuppression: { 0: steps, 1: steps, 3: steps, 4: steps },
  // onnxruntime rounds the edges to bins of the spectrum.
  MelWeightMatrix: { 3: steps, 4: steps },
  OneHot: { 0: steps, 1: 'a number of elements' },
  Range: { 1: 'a number of elements' },
  Shape: { 0: shapes },
  Size: { 0: shapes },
  EyeLike: { 0: shapes },
  RandomNormalLike: { 0: shapes },
  RandomUniformLike: { 0: shapes },
  CastLike: { 1: shapes },
  Dropout: { 1: 'unused in evaluation mode; training mode is refused' },
  // Refused.
  Resize: { 1: refused, 2: refused },
  Upsample: { 1: refused },
  LSTM: { 7: `peepholes: ${refused}` },
  Attention: { 4: refused, 5: refused },
  QuantizeLinear: { 0: refused, 1: refused },
  QLinearConv: { 1: refused, 4: refused, 6: refused },
  QLinearMatMul: { 1: refused, 4: refused, 6: refused },
  DynamicQuantizeLinear: { 0: refused },
  Bernoulli: { 0: refused },
  Multinomial: { 0: refused },
  Loop: { 2: refused },
  Scan: { 0: refused },
  SequenceMap: { 1: refused },
}
