// The messages of onnx.proto: the one file that knows where they come from.
export * from './generated/onnx_pb.js'
