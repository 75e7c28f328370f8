"""Small networks with If, Loop and Scan, and their float64 references: python make.py (needs onnx, numpy).

Every network is built in float32 for the files and in float64 for the references: outputs by ONNX's
reference evaluator, Jacobians by central differences of it, good to some 1e-9.
"""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from onnx.reference import ReferenceEvaluator

HERE = Path(__file__).parent
OPSET = 17
rng = np.random.default_rng(7)


def draw(*shape):
    """Numbers that float32 holds exactly, so that both builds have the same."""
    return rng.standard_normal(shape).astype(np.float32).astype(np.float64)


class Build:
    """A graph's nodes and stored numbers, in one element type."""

    def __init__(self, double, weights):
        self.type = TensorProto.DOUBLE if double else TensorProto.FLOAT
        self.number = np.float64 if double else np.float32
        self.weights = weights
        self.nodes, self.stored = [], []

    def inner(self):
        build = Build(self.type == TensorProto.DOUBLE, self.weights)
        return build

    def node(self, op, inputs, outputs, **attributes):
        name = attributes.pop("name", outputs[0] + "/" + op)
        self.nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))

    def weight(self, name, key=None):
        """Stores the key's numbers under a name, or the key for the evaluator, which mixes scopes up."""
        key = key or name
        own = key if self.number is np.float64 else name
        self.stored.append(numpy_helper.from_array(self.weights[key].astype(self.number), own))
        return own

    def const(self, name, value, dtype=np.int64):
        self.stored.append(numpy_helper.from_array(np.array(value, dtype), name))

    def info(self, name, shape, type=None):
        return helper.make_tensor_value_info(name, type or self.type, shape)

    def graph(self, inputs, outputs, name="g"):
        return helper.make_graph(self.nodes, name, inputs, outputs, self.stored)


def model(graph):
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def constant_if(b):
    """Nested Ifs on constants; weights of one name in both branches; an outer value captured."""
    b.weight("w0")
    b.const("yes", True, bool)
    b.const("no", False, bool)
    b.node("MatMul", ["x", "w0"], ["h"])
    then = b.inner()
    then.node("MatMul", ["h", then.weight("w", "then.w")], ["t"])
    deep, flat = b.inner(), b.inner()
    deep.node("Mul", ["t", deep.weight("w2", "deep.w")], ["t2"])
    flat.node("Add", ["t", flat.weight("w2", "flat.w")], ["t2"])
    then.node("If", ["no"], ["u"],
              then_branch=flat.graph([], [flat.info("t2", None)]),
              else_branch=deep.graph([], [deep.info("t2", None)]), name="inner")
    then.node("Tanh", ["u"], ["v"])
    other = b.inner()
    other.node("MatMul", ["h", other.weight("w", "else.w")], ["v"])
    b.node("If", ["yes"], ["y"],
           then_branch=then.graph([], [then.info("v", None)]),
           else_branch=other.graph([], [other.info("v", None)]), name="outer")
    return b.graph([b.info("x", ["N", 3])], [b.info("y", ["N", 2])])


def squeeze_if(b):
    """As torch.squeeze is exported: the size of a computed value decides."""
    b.weight("w0")
    b.weight("w1")
    b.const("one", 1)
    b.const("axis", 1)
    b.const("axes", [1])
    b.node("Conv", ["x", "w0"], ["h"])
    b.node("Relu", ["h"], ["a"])
    b.node("Shape", ["a"], ["s"])
    b.node("Gather", ["s", "axis"], ["n"])
    b.node("Equal", ["n", "one"], ["single"])
    then, other = b.inner(), b.inner()
    then.node("Squeeze", ["a", "axes"], ["q"])
    other.node("Identity", ["a"], ["q"])
    b.node("If", ["single"], ["z"],
           then_branch=then.graph([], [then.info("q", None)]),
           else_branch=other.graph([], [other.info("q", None)]), name="squeeze")
    b.node("MatMul", ["z", "w1"], ["y"])
    return b.graph([b.info("x", ["N", 2, 6])], [b.info("y", ["N", 3])])


def length_if(b):
    """Long samples go another way than short ones; each way has weights of its own."""
    b.weight("w0")
    b.const("three", 3)
    b.const("axis", 1)
    b.node("MatMul", ["x", "w0"], ["h"])
    b.node("Shape", ["x"], ["s"])
    b.node("Gather", ["s", "axis"], ["n"])
    b.node("Greater", ["n", "three"], ["long"])
    then, other = b.inner(), b.inner()
    then.node("MatMul", ["h", then.weight("w", "long.w")], ["q"])
    then.node("ReduceMax", ["q"], ["r"], axes=[1], keepdims=0)
    other.node("Mul", ["h", other.weight("w", "short.w")], ["q"])
    other.node("ReduceMean", ["q"], ["r"], axes=[1], keepdims=0)
    b.node("If", ["long"], ["y"],
           then_branch=then.graph([], [then.info("r", None)]),
           else_branch=other.graph([], [other.info("r", None)]), name="length")
    return b.graph([b.info("x", ["N", "T", 2])], [b.info("y", ["N", 3])])


def rate_if(b):
    """A number that all samples have alike chooses the weights, and one branch is a weight itself."""
    b.const("limit", 10, b.number)
    b.weight("w0")
    b.weight("bias")
    b.node("ReduceMax", ["rate"], ["top"], keepdims=0)
    b.node("Greater", ["top", "limit"], ["fast"])
    then, other = b.inner(), b.inner()
    then.node("Identity", [then.weight("w", "fast.w")], ["p"])
    other.node("Identity", ["bias"], ["p"])
    b.node("If", ["fast"], ["chosen"],
           then_branch=then.graph([], [then.info("p", None)]),
           else_branch=other.graph([], [other.info("p", None)]), name="rate")
    b.node("MatMul", ["x", "w0"], ["h"])
    b.node("Add", ["h", "chosen"], ["k"])
    b.node("Sigmoid", ["k"], ["y"])
    return b.graph([b.info("x", ["N", 3]), b.info("rate", ["N", 1])], [b.info("y", ["N", 2])])


def loop_fixed(b):
    """A recurrent cell in a Loop of four steps that collects its states."""
    b.const("steps", 4)
    b.const("go", True, bool)
    b.weight("u")
    b.weight("v")
    b.weight("h0")
    body = b.inner()
    body.node("Gather", ["x", "t"], ["xt"], axis=1)
    body.node("MatMul", ["xt", "u"], ["a"])
    body.node("MatMul", ["h", "v"], ["c"])
    body.node("Add", ["a", "c"], ["s"])
    body.node("Tanh", ["s"], ["h_out"])
    body.node("Identity", ["go_in"], ["go_out"])
    body.node("Identity", ["h_out"], ["seen"])
    graph = body.graph(
        [body.info("t", [], TensorProto.INT64), body.info("go_in", [], TensorProto.BOOL),
         body.info("h", None)],
        [body.info("go_out", [], TensorProto.BOOL), body.info("h_out", None),
         body.info("seen", None)])
    b.node("Loop", ["steps", "go", "h0"], ["end", "all"], body=graph, name="steps")
    b.const("zero", [0])
    b.node("ReduceSum", ["all", "zero"], ["sum"], keepdims=0)
    b.node("Mul", ["sum", "end"], ["y"])
    return b.graph([b.info("x", ["N", 4, 2])], [b.info("y", ["N", 3])])


def loop_length(b):
    """A Loop over as many steps as the samples are long."""
    b.const("axis", 1)
    b.weight("u")
    b.weight("v")
    b.weight("h0")
    b.node("Shape", ["x"], ["s"])
    b.node("Gather", ["s", "axis"], ["n"])
    body = b.inner()
    body.weight("gain")
    body.node("Gather", ["x", "t"], ["xt"], axis=1)
    body.node("MatMul", ["xt", "u"], ["a"])
    body.node("MatMul", ["h", "v"], ["c"])
    body.node("Add", ["a", "c"], ["s_"])
    body.node("Mul", ["s_", "gain"], ["g"])
    body.node("Sigmoid", ["g"], ["h_out"])
    body.node("Identity", ["go_in"], ["go_out"])
    graph = body.graph(
        [body.info("t", [], TensorProto.INT64), body.info("go_in", [], TensorProto.BOOL),
         body.info("h", None)],
        [body.info("go_out", [], TensorProto.BOOL), body.info("h_out", None)])
    b.const("go", True, bool)
    # Without a condition the evaluator does not start.
    go = "go" if b.number is np.float64 else ""
    b.node("Loop", ["n", go, "h0"], ["y"], body=graph, name="steps")
    return b.graph([b.info("x", ["N", "T", 2])], [b.info("y", ["N", 3])])


def loop_early(b):
    """A Loop that its body ends after the third step."""
    b.const("most", 100)
    b.const("go", True, bool)
    b.weight("w")
    body = b.inner()
    body.const("two", 2)
    body.node("MatMul", ["h", "w"], ["m"])
    body.node("Softplus", ["m"], ["h_out"])
    body.node("Less", ["t", "two"], ["go_out"])
    graph = body.graph(
        [body.info("t", [], TensorProto.INT64), body.info("go_in", [], TensorProto.BOOL),
         body.info("h", None)],
        [body.info("go_out", [], TensorProto.BOOL), body.info("h_out", None)])
    b.node("Loop", ["most", "go", "x"], ["y"], body=graph, name="steps")
    return b.graph([b.info("x", ["N", 3])], [b.info("y", ["N", 3])])


def scan_cell(b):
    """A Scan over the middle axis from its end, which collects along that axis, the last step first."""
    b.weight("u")
    b.weight("v")
    b.weight("h0")
    b.node("Mul", ["start", "h0"], ["first"])
    body = b.inner()
    body.node("MatMul", ["xt", "u"], ["a"])
    body.node("MatMul", ["h", "v"], ["c"])
    body.node("Add", ["a", "c"], ["s"])
    body.node("Tanh", ["s"], ["h_out"])
    body.node("Mul", ["h_out", "h"], ["seen"])
    graph = body.graph(
        [body.info("h", ["N", 3]), body.info("xt", ["N", 2])],
        [body.info("h_out", ["N", 3]), body.info("seen", ["N", 3])])
    b.node("Scan", ["first", "x"], ["end", "all"], body=graph, num_scan_inputs=1,
           scan_input_axes=[1], scan_input_directions=[1], scan_output_axes=[1],
           scan_output_directions=[1], name="scan")
    b.node("Flatten", ["all"], ["flat"])
    b.node("Concat", ["flat", "end"], ["y"], axis=1)
    return b.graph([b.info("x", ["N", 3, 2]), b.info("start", ["N", 3])], [b.info("y", ["N", 12])])


CASES = {
    "constant_if": (constant_if, {"w0": (3, 4), "then.w": (4, 2), "deep.w": (2,), "flat.w": (2,),
                                  "else.w": (4, 2)}, [{"x": (2, 3)}]),
    "squeeze_if": (squeeze_if, {"w0": (1, 2, 3), "w1": (4, 3)}, [{"x": (2, 2, 6)}]),
    "length_if": (length_if, {"w0": (2, 3), "long.w": (3, 3), "short.w": (3,)},
                  [{"x": (2, 5, 2)}, {"x": (2, 3, 2)}]),
    "rate_if": (rate_if, {"w0": (3, 2), "bias": (2,), "fast.w": (2,)},
                [{"x": (2, 3), "rate": 20.0}, {"x": (2, 3), "rate": 5.0}]),
    "loop_fixed": (loop_fixed, {"u": (2, 3), "v": (3, 3), "h0": (3,)}, [{"x": (2, 4, 2)}]),
    "loop_length": (loop_length, {"u": (2, 3), "v": (3, 3), "h0": (3,), "gain": (3,)},
                    [{"x": (2, 2, 2)}, {"x": (2, 5, 2)}]),
    "loop_early": (loop_early, {"w": (3, 3)}, [{"x": (2, 3)}]),
    "scan_cell": (scan_cell, {"u": (2, 3), "v": (3, 3), "h0": (3,)},
                  [{"x": (2, 3, 2), "start": (2, 3)}]),
}


def scan_by_hand(weights, sample):
    """What scan_cell computes: the evaluator knows no reversed Scan."""
    h = sample["start"] * weights["h0"]
    seen = []
    for t in (2, 1, 0):
        after = np.tanh(sample["x"][:, t] @ weights["u"] + h @ weights["v"])
        seen.insert(0, after * h)
        h = after
    return np.concatenate([*seen, h], axis=1).reshape(-1)


def evaluate(build, weights, sample):
    if build is scan_cell:
        return scan_by_hand(weights, sample)
    run = ReferenceEvaluator(model(build(Build(True, weights))))
    return run.run(None, sample)[0].reshape(-1)


def references(build, weights, inputs):
    """Outputs (N, O) and by weight the Jacobian (N, O, count) in float64."""
    count = len(next(iter(inputs.values())))
    rows = [{name: array[i : i + 1] for name, array in inputs.items()} for i in range(count)]
    outputs = np.stack([evaluate(build, weights, row) for row in rows])
    jacobian = {}
    for key, array in weights.items():
        columns = []
        for e in range(array.size):
            step = np.zeros(array.size)
            step[e] = 1e-5
            step = step.reshape(array.shape)
            ends = [{**weights, key: array + sign * step} for sign in (1, -1)]
            above, below = [
                np.stack([evaluate(build, end, row) for row in rows]) for end in ends
            ]
            columns.append((above - below) / 2e-5)
        jacobian[key] = np.stack(columns, axis=-1)
    return outputs, jacobian


def main():
    folder = HERE / "networks"
    folder.mkdir(exist_ok=True)
    for name, (build, shapes, feeds) in CASES.items():
        weights = {key: draw(*shape) for key, shape in shapes.items()}
        save(model(build(Build(False, weights))), folder / f"{name}.onnx")
        found = []
        for feed in feeds:
            inputs = {
                key: np.full((2, 1), shape) if isinstance(shape, float) else draw(*shape)
                for key, shape in feed.items()
            }
            outputs, jacobian = references(build, weights, inputs)
            found.append({
                "inputs": {key: {"shape": a.shape, "data": a.ravel().tolist()}
                           for key, a in inputs.items()},
                "outputs": {"shape": outputs.shape, "data": outputs.ravel().round(10).tolist()},
                "jacobian": {key: a.ravel().round(9).tolist() for key, a in jacobian.items()},
            })
        stored = {key: array.ravel().tolist() for key, array in weights.items()}
        text = json.dumps({"weights": stored, "cases": found}, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text)


main()
