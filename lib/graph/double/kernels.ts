/** Operators of ai.onnx that onnxruntime's CPU kernels compute in float64, or on any type. */
export const kernels: ReadonlySet<string> = new Set(
  [
    'Abs Add ArgMax ArgMin BatchNormalization Cast CastLike Ceil Clip Compress Concat Cos CumSum',
    'DepthToSpace Div Dropout Einsum Equal Exp Expand EyeLike Flatten Floor',
    'Gather GatherElements GatherND Gemm Greater GreaterOrEqual Identity IsInf IsNaN',
    'LayerNormalization Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Min Mod Mul Neg NonZero',
    'Pad Pow Range Reciprocal ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd',
    'ReduceSum ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum Relu Reshape Round',
    'ScatterElements ScatterND Shape Sigmoid Sign Sin Size Slice Softmax SpaceToDepth Split Sqrt',
    'Squeeze Sub Sum Tanh Tile TopK Transpose Trilu Unsqueeze Where',
    'And Not Or Xor BitwiseAnd BitwiseNot BitwiseOr BitwiseXor',
  ]
    .join(' ')
    .split(' '),
)
