"""Ages that Keras itself computes with the random weights of recipe.py; the golden values of the weight import.

Needs an environment of its own (about 1.5 GB), never that of faceage_bio:

    python3.11 -m venv /tmp/keras
    /tmp/keras/bin/pip install tensorflow-cpu==2.15.1 "setuptools<81"
    cd tests/golden/keras
    /tmp/keras/bin/python make_golden.py --files /tmp/keras_files

writes ages.json, layout.tsv, model_config_426.json.gz and model_config_447.json.gz beside this script, and into
``--files`` what is too large to keep: faceage_{426,447,frozen,weights_only}.h5, written by Keras, and ref.npz. Then

    faceage-bio weights import /tmp/keras_files/faceage_426.h5 --output /tmp/keras_files/model
    faceage-bio weights verify /tmp/keras_files/model --reference /tmp/keras_files/ref.npz

checks the import of the file that Keras wrote. The network is Inception-ResNet v1 (Szegedy et al. 2017,
arXiv:1602.07261) with the layer names of the public Keras FaceNet files, and FaceAge's head (Dense, ReLU, BatchNorm, Dense).
"""

import argparse
import datetime
import gzip
import json
import os
import platform
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import numpy as np
import recipe
import tensorflow as tf
from tensorflow.keras import Model, Sequential, layers

NO_CODE = "the marshalled bytecode that Keras writes here is left out"


def norm(name):
    return layers.BatchNormalization(momentum=0.995, epsilon=0.001, scale=False, name=name)


def conv(x, filters, size, name, strides=1, padding="same"):
    x = layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False, name=name)(x)
    x = norm(f"{name}_BatchNorm")(x)
    return layers.Activation("relu", name=f"{name}_Activation")(x)


def chain(x, prefix, steps):
    """Convolutions one after another: (filters, kernel size, last part of the name)."""
    for filters, size, name in steps:
        x = conv(x, filters, size, f"{prefix}_{name}")
    return x


def residual(x, prefix, branches, scale, two_inputs, relu=True):
    outputs = [chain(x, f"{prefix}_Branch_{index}", steps) for index, steps in enumerate(branches)]
    mixed = layers.Concatenate(axis=3, name=f"{prefix}_Concatenate")(outputs)
    up = layers.Conv2D(x.shape[3], 1, padding="same", name=f"{prefix}_Conv2d_1x1")(mixed)
    if two_inputs:
        scale_sum = layers.Lambda(
            lambda inputs, scale: inputs[0] + inputs[1] * scale,
            output_shape=tuple(x.shape[1:]),
            arguments={"scale": scale},
            name=f"{prefix}_ScaleSum",
        )
        x = scale_sum([x, up])
    else:
        scaled = layers.Lambda(lambda x, scale: x * scale, arguments={"scale": scale})(up)
        x = layers.add([x, scaled])
    return layers.Activation("relu", name=f"{prefix}_Activation")(x) if relu else x


def backbone(two_inputs):
    image = layers.Input((160, 160, 3))
    x = conv(image, 32, 3, "Conv2d_1a_3x3", 2, "valid")
    x = conv(x, 32, 3, "Conv2d_2a_3x3", 1, "valid")
    x = conv(x, 64, 3, "Conv2d_2b_3x3")
    x = layers.MaxPooling2D(3, strides=2, name="MaxPool_3a_3x3")(x)
    x = conv(x, 80, 1, "Conv2d_3b_1x1", 1, "valid")
    x = conv(x, 192, 3, "Conv2d_4a_3x3", 1, "valid")
    x = conv(x, 256, 3, "Conv2d_4b_3x3", 2, "valid")
    for index in range(1, 6):
        branches = [
            [(32, 1, "Conv2d_1x1")],
            [(32, 1, "Conv2d_0a_1x1"), (32, 3, "Conv2d_0b_3x3")],
            [(32, 1, "Conv2d_0a_1x1"), (32, 3, "Conv2d_0b_3x3"), (32, 3, "Conv2d_0c_3x3")],
        ]
        x = residual(x, f"Block35_{index}", branches, 0.17, two_inputs)
    branch_0 = conv(x, 384, 3, "Mixed_6a_Branch_0_Conv2d_1a_3x3", 2, "valid")
    branch_1 = chain(x, "Mixed_6a_Branch_1", [(192, 1, "Conv2d_0a_1x1"), (192, 3, "Conv2d_0b_3x3")])
    branch_1 = conv(branch_1, 256, 3, "Mixed_6a_Branch_1_Conv2d_1a_3x3", 2, "valid")
    pool = layers.MaxPooling2D(3, strides=2, name="Mixed_6a_Branch_2_MaxPool_1a_3x3")(x)
    x = layers.Concatenate(axis=3, name="Mixed_6a")([branch_0, branch_1, pool])
    for index in range(1, 11):
        steps = [(128, 1, "Conv2d_0a_1x1"), (128, [1, 7], "Conv2d_0b_1x7"), (128, [7, 1], "Conv2d_0c_7x1")]
        x = residual(x, f"Block17_{index}", [[(128, 1, "Conv2d_1x1")], steps], 0.1, two_inputs)
    branch_0 = chain(x, "Mixed_7a_Branch_0", [(256, 1, "Conv2d_0a_1x1")])
    branch_0 = conv(branch_0, 384, 3, "Mixed_7a_Branch_0_Conv2d_1a_3x3", 2, "valid")
    branch_1 = chain(x, "Mixed_7a_Branch_1", [(256, 1, "Conv2d_0a_1x1")])
    branch_1 = conv(branch_1, 256, 3, "Mixed_7a_Branch_1_Conv2d_1a_3x3", 2, "valid")
    branch_2 = chain(x, "Mixed_7a_Branch_2", [(256, 1, "Conv2d_0a_1x1"), (256, 3, "Conv2d_0b_3x3")])
    branch_2 = conv(branch_2, 256, 3, "Mixed_7a_Branch_2_Conv2d_1a_3x3", 2, "valid")
    pool = layers.MaxPooling2D(3, strides=2, name="Mixed_7a_Branch_3_MaxPool_1a_3x3")(x)
    x = layers.Concatenate(axis=3, name="Mixed_7a")([branch_0, branch_1, branch_2, pool])
    for index in range(1, 7):
        steps = [(192, 1, "Conv2d_0a_1x1"), (192, [1, 3], "Conv2d_0b_1x3"), (192, [3, 1], "Conv2d_0c_3x1")]
        last = index == 6
        branches = [[(192, 1, "Conv2d_1x1")], steps]
        x = residual(x, f"Block8_{index}", branches, 1.0 if last else 0.2, two_inputs, relu=not last)
    x = layers.GlobalAveragePooling2D(name="AvgPool")(x)
    x = layers.Dropout(0.2, name="Dropout")(x)
    x = layers.Dense(128, use_bias=False, name="Bottleneck")(x)
    return Model(image, norm("Bottleneck_BatchNorm")(x), name="inception_resnet_v1")


def faceage(two_inputs):
    base = backbone(two_inputs)
    head = [layers.Dense(128, activation="relu", name="dense_1"), norm("dense_1_BatchNorm")]
    return base, Sequential([base, *head, layers.Dense(1, name="dense_2")])


def fill(model, seed):
    for variable in model.weights:
        name = "/".join(variable.name.removesuffix(":0").split("/")[-2:])
        variable.assign(recipe.random_tensor(seed, name, tuple(variable.shape)))


def without_code(config):
    """The configuration with the Lambda functions' bytecode (and the path inside it) taken out."""
    if isinstance(config, list):
        return [without_code(part) for part in config]
    if isinstance(config, dict):
        cleaned = {key: without_code(value) for key, value in config.items()}
        if config.get("class_name") == "Lambda":
            cleaned["config"] |= {"function": [NO_CODE, None, None], "module": "__main__"}
        return cleaned
    return config


def keep_configuration(file, layers_in_base):
    with h5py.File(file) as stored:
        config = without_code(json.loads(stored.attrs["model_config"]))
        names = []
        stored["model_weights"].visititems(
            lambda name, item: names.append(name) if hasattr(item, "shape") else None
        )
        rows = [
            f"{name}\t{'x'.join(map(str, stored['model_weights'][name].shape))}" for name in sorted(names)
        ]
    text = json.dumps(config, separators=(",", ":"))
    (recipe.HERE / f"model_config_{layers_in_base}.json.gz").write_bytes(
        gzip.compress(text.encode(), mtime=0)
    )
    if layers_in_base == 426:
        (recipe.HERE / "layout.tsv").write_text("\n".join(["path\tshape", *rows]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=Path, required=True, help="folder for the large files")
    folder = parser.parse_args().files
    folder.mkdir(parents=True, exist_ok=True)
    inputs = recipe.standardised(recipe.random_crops())
    ages = {}
    for n_layers, two_inputs in ((426, True), (447, False)):
        base, model = faceage(two_inputs)
        assert len(base.layers) == n_layers, len(base.layers)
        assert model.count_params() == 22_825_169, model.count_params()
        fill(model, recipe.SEED)
        file = folder / f"faceage_{n_layers}.h5"
        model.save(file, include_optimizer=False)
        keep_configuration(file, n_layers)
        ages[n_layers] = model.predict(inputs, batch_size=8, verbose=0)[:, 0].astype(float)
        if two_inputs:
            model.save_weights(folder / "faceage_weights_only.h5")
            for layer in base.layers[
                :145
            ]:  # as in the study's training: changes the order of the stored names
                layer.trainable = False
            model.save(folder / "faceage_frozen.h5", include_optimizer=False)
    assert np.array_equal(ages[426], ages[447])
    np.savez(folder / "ref.npz", inputs=inputs, ages=ages[426])
    golden = {
        "what": "ages by Keras of recipe.random_crops(seed), standardised, with recipe's weights of the same seed",
        "seed": recipe.SEED,
        "ages": [round(age, 6) for age in ages[426].tolist()],
        "tensorflow": tf.__version__,
        "keras": tf.keras.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        "command": "python make_golden.py --files FOLDER",
    }
    (recipe.HERE / "ages.json").write_text(json.dumps(golden, indent=2) + "\n")
    print(f"ages {ages[426].mean():.2f} +- {ages[426].std():.2f}", np.round(ages[426], 2))


if __name__ == "__main__":
    main()
