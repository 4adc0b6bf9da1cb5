"""What several test files use of other models."""

import numpy as np
import pytest


def onnx_file(path, size=160):
    """The same ages as an ONNX graph, written node by node."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    constants = {"axes": np.array([1, 2, 3]), "slope": np.float32([60]), "begin": np.float32([20])}
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["crops", "axes"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "slope"], ["more"]),
            helper.make_node("Add", ["more", "begin"], ["years"]),
        ],
        "ages",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("years", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(path))
    return path
