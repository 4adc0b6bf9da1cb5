"""Ages of a FaceAge-shaped Keras network with the weights of recipe.py: the golden values of tests/faces/test_weights_import.py.

make_golden.sh beside this file installs what it needs and runs it; it writes golden.json and, if asked, the whole Keras file.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.keras import Model, Sequential, backend
from tensorflow.keras import layers as kl

from tests.golden.keras import recipe


def conv_bn(x, name, strides=1, padding="same", activation="relu"):
    shape, has_bias = recipe.layers()[name]
    x = kl.Conv2D(shape[3], shape[:2], strides=strides, padding=padding, use_bias=has_bias, name=name)(x)
    if not has_bias:
        x = kl.BatchNormalization(
            axis=-1, momentum=0.995, epsilon=0.001, scale=False, name=f"{name}_BatchNorm"
        )(x)
    return kl.Activation(activation, name=f"{name}_Activation")(x) if activation else x


def chain(x, *names, **last):
    for place, name in enumerate(names):
        x = conv_bn(x, name, **(last if place == len(names) - 1 else {}))
    return x


def block(x, name, branches, activation="relu"):
    ends = [chain(x, *(f"{name}_{step}" for step in steps)) for steps in branches]
    mixed = kl.Concatenate(axis=3, name=f"{name}_Concatenate")(ends)
    up = conv_bn(mixed, f"{name}_Conv2d_1x1", activation=None)
    x = kl.Lambda(
        lambda pair, scale: pair[0] + pair[1] * scale,
        output_shape=backend.int_shape(x)[1:], arguments={"scale": recipe.scale_of(name)}, name=f"{name}_ScaleSum",
    )([x, up])  # fmt: skip
    return kl.Activation(activation, name=f"{name}_Activation")(x) if activation else x


def backbone():
    image = kl.Input((160, 160, 3))
    x = conv_bn(image, "Conv2d_1a_3x3", strides=2, padding="valid")
    x = conv_bn(x, "Conv2d_2a_3x3", padding="valid")
    x = conv_bn(x, "Conv2d_2b_3x3")
    x = kl.MaxPooling2D(3, strides=2, name="MaxPool_3a_3x3")(x)
    x = conv_bn(x, "Conv2d_3b_1x1", padding="valid")
    x = conv_bn(x, "Conv2d_4a_3x3", padding="valid")
    x = conv_bn(x, "Conv2d_4b_3x3", strides=2, padding="valid")
    for i in range(1, 6):
        x = block(
            x,
            f"Block35_{i}",
            [
                ["Branch_0_Conv2d_1x1"],
                ["Branch_1_Conv2d_0a_1x1", "Branch_1_Conv2d_0b_3x3"],
                ["Branch_2_Conv2d_0a_1x1", "Branch_2_Conv2d_0b_3x3", "Branch_2_Conv2d_0c_3x3"],
            ],
        )
    valid = {"strides": 2, "padding": "valid"}
    x = kl.Concatenate(axis=3, name="Mixed_6a")([
        chain(x, "Mixed_6a_Branch_0_Conv2d_1a_3x3", **valid),
        chain(x, "Mixed_6a_Branch_1_Conv2d_0a_1x1", "Mixed_6a_Branch_1_Conv2d_0b_3x3", "Mixed_6a_Branch_1_Conv2d_1a_3x3", **valid),
        kl.MaxPooling2D(3, strides=2, name="Mixed_6a_Branch_2_MaxPool_1a_3x3")(x),
    ])  # fmt: skip
    for i in range(1, 11):
        x = block(
            x,
            f"Block17_{i}",
            [
                ["Branch_0_Conv2d_1x1"],
                ["Branch_1_Conv2d_0a_1x1", "Branch_1_Conv2d_0b_1x7", "Branch_1_Conv2d_0c_7x1"],
            ],
        )
    x = kl.Concatenate(axis=3, name="Mixed_7a")([
        chain(x, "Mixed_7a_Branch_0_Conv2d_0a_1x1", "Mixed_7a_Branch_0_Conv2d_1a_3x3", **valid),
        chain(x, "Mixed_7a_Branch_1_Conv2d_0a_1x1", "Mixed_7a_Branch_1_Conv2d_1a_3x3", **valid),
        chain(x, "Mixed_7a_Branch_2_Conv2d_0a_1x1", "Mixed_7a_Branch_2_Conv2d_0b_3x3", "Mixed_7a_Branch_2_Conv2d_1a_3x3", **valid),
        kl.MaxPooling2D(3, strides=2, name="Mixed_7a_Branch_3_MaxPool_1a_3x3")(x),
    ])  # fmt: skip
    for i in range(1, 7):
        x = block(
            x,
            f"Block8_{i}",
            [
                ["Branch_0_Conv2d_1x1"],
                ["Branch_1_Conv2d_0a_1x1", "Branch_1_Conv2d_0b_1x3", "Branch_1_Conv2d_0c_3x1"],
            ],
            activation=None if i == 6 else "relu",
        )
    x = kl.GlobalAveragePooling2D(name="AvgPool")(x)
    x = kl.Dropout(0.2, name="Dropout")(x)
    x = kl.Dense(128, use_bias=False, name="Bottleneck")(x)
    x = kl.BatchNormalization(momentum=0.995, epsilon=0.001, scale=False, name="Bottleneck_BatchNorm")(x)
    return Model(image, x, name="inception_resnet_v1")


def main() -> None:
    base = backbone()
    print(len(base.layers), "backbone layers")
    model = Sequential([
        base,
        kl.Dense(128, activation="relu", name="dense_1"),
        kl.BatchNormalization(momentum=0.995, epsilon=0.001, scale=False, name="dense_1_BatchNorm"),
        kl.Dense(1, name="dense_2"),
    ])  # fmt: skip
    model.build((None, 160, 160, 3))
    values = recipe.tensors()
    used = set()
    for layer in [*base.layers, *model.layers[1:]]:
        for weight in layer.weights:
            key = layer.name, weight.name.split("/")[-1].split(":")[0]
            weight.assign(values[key])
            used.add(key)
    assert used == set(values), set(values) - used
    ages = model.predict(recipe.inputs(), batch_size=4, verbose=0)[:, 0]
    golden = {
        "made_with": f"tensorflow {tf.__version__}, keras {keras.__version__}, numpy {np.__version__}, Python {sys.version.split()[0]}",
        "parameters": int(model.count_params()), "backbone_layers": len(base.layers), "seed": recipe.SEED,
        "ages": [float(age) for age in ages],
    }  # fmt: skip
    Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(ages)
    if len(sys.argv) > 1:
        model.save(sys.argv[1], include_optimizer=False)
        np.savez(Path(sys.argv[1]).with_suffix(".npz"), inputs=recipe.inputs(), ages=ages)


if __name__ == "__main__":
    main()
