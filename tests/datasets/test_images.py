"""Pictures of digits: MNIST's files whole, damaged and missing; scikit-learn's; no sound."""

import gzip
import json
import struct

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fastdis import datasets, models, objectives, train
from fastdis.datasets import MNIST, Digits
from tests.training import training_data

COUNT = 23
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def _contents(count=COUNT, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
    pixels.flat[:2] = 0, 255
    return pixels, rng.integers(0, 10, count).astype(np.uint8)


def _idx(values, magic=None):
    """By the description of the format: big-endian, the type and the number of sizes first."""
    head = struct.pack(">HBB", 0, 8, values.ndim) if magic is None else struct.pack(">I", magic)
    return head + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def _write(folder, images=IMAGES, labels=LABELS, contents=None):
    for name, values in zip((images, labels), contents or _contents(), strict=True):
        packed = gzip.compress if name.endswith(".gz") else bytes
        (folder / name).write_bytes(packed(_idx(values)))


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_what_is_in_the_files(tmp_path, dot, end):
    _write(tmp_path, f"train-images{dot}idx3-ubyte{end}", f"train-labels{dot}idx1-ubyte{end}")
    pixels, digits = _contents()
    data = MNIST(str(tmp_path))
    assert len(data) == COUNT
    assert data.feature_shape == (1, 28, 28)
    assert data.space.names == ("digit",)
    assert data.space.factors[0].kind == "categorical"
    features, factors = data.batch(slice(None))
    assert features.dtype == np.float32
    assert (features.min(), features.max()) == (0.0, 1.0)
    assert np.array_equal(np.round(features[:, 0] * 255), pixels)
    assert np.array_equal(factors[:, 0], digits)
    assert np.array_equal(data.table([5, 2]).levels[:, 0], digits[[5, 2]])
    assert data.describe(3) == str(digits[3])


def test_a_picture_does_not_depend_on_its_batch(tmp_path):
    _write(tmp_path, contents=_contents(1200))
    data = MNIST(tmp_path)
    whole = data.features(slice(None))
    rows = np.random.default_rng(0).permutation(1200)
    assert np.array_equal(data.features(rows), whole[rows])
    assert np.array_equal(data.features(rows[:7]), whole[rows[:7]])
    assert data.features([]).shape == (0, 1, 28, 28)
    assert np.array_equal(data.in_memory().features(rows), whole[rows])
    with pytest.raises(IndexError, match="indices takes values from 0 to 1199, got 1200"):
        data.batch([1200])


def test_the_splits_are_told_apart(tmp_path):
    _write(tmp_path)
    test = _contents(9, seed=1)
    _write(tmp_path, "t10k-images-idx3-ubyte.gz", "t10k-labels.idx1-ubyte", test)
    assert len(MNIST(tmp_path)) == COUNT
    assert np.array_equal(MNIST(tmp_path, split="test").pixels, test[0])
    with pytest.raises(ValueError, match="split takes one of 'train', 'test', got 'tests'"):
        MNIST(tmp_path, split="tests")


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_options_make_the_same_set_and_no_other(tmp_path, split):
    _write(tmp_path)
    _write(tmp_path, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", _contents(seed=1))
    data = MNIST(tmp_path, split=split)
    options = json.loads(json.dumps(data.options()))
    again = datasets.build(options)
    assert again.options() == options
    assert again.table() == data.table()
    assert np.array_equal(again.features(slice(None)), data.features(slice(None)))
    pixels, digits = (values.copy() for values in _contents(seed=("train", "test").index(split)))
    digits[4] = (digits[4] + 1) % 10
    prefix = {"train": "train", "test": "t10k"}[split]
    _write(tmp_path, f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte", (pixels, digits))
    with pytest.raises(ValueError, match="and its labels have changed"):
        datasets.build(options)


def test_a_missing_file_is_named_as_it_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        MNIST(tmp_path, split="test")
    for name in ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"):
        assert f"{name}," in str(caught.value)
        assert f"{name}.gz" in str(caught.value)
    _write(tmp_path)
    (tmp_path / LABELS).unlink()
    (tmp_path / LABELS).mkdir()  # a folder of that name is no file
    with pytest.raises(FileNotFoundError, match=f"no MNIST labels in .*: looked for {LABELS},"):
        MNIST(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder takes a folder with MNIST's files, got"):
        MNIST(tmp_path / "not there")
    with pytest.raises(TypeError, match="folder takes a path, got 3"):
        MNIST(3)


def _damaged(kind):
    """(name, what the file holds, what its error says)."""
    pixels, digits = _contents()
    images, labels = _idx(pixels), _idx(digits)
    zipped = gzip.compress(images)
    return {
        "empty": (IMAGES, b"", "begins with 16 bytes of magic number and sizes, got 0"),
        "half a head": (LABELS, labels[:7], "begins with 8 bytes .*got 7"),
        "truncated": (IMAGES, images[:-1], rf"says {COUNT} x 28 x 28, .* got {COUNT * 784 - 1} b"),
        "too long": (LABELS, labels + b"\0", f"says {COUNT}, .* got {COUNT + 1} bytes"),
        "no image": (IMAGES, _idx(pixels[:0]), "says 0 x 28 x 28, at least one byte, got 0"),
        "labels for images": (IMAGES, labels, "magic number has to be 2051, got 2049"),
        "images for labels": (LABELS, images, "magic number has to be 2049, got 2051"),
        "floats": (IMAGES, _idx(pixels, magic=0xD03), "magic number has to be 2051, got 3331"),
        "vast": (IMAGES, images[:4] + b"\xff" * 12, "says 4294967295 x 4294967295 x 4294967295"),
        "half a gz": (f"{IMAGES}.gz", zipped[: len(zipped) // 2], "is truncated or is not"),
        "a gz of noise": (f"{IMAGES}.gz", zipped[:10] + b"\xff" * 99, "invalid block type"),
        "no gz": (f"{IMAGES}.gz", images, "Not a gzipped file"),
        "a gz that was changed": (
            f"{IMAGES}.gz", zipped[:-8] + b"\0\0\0\0" + zipped[-4:], "CRC check failed"
        ),
        "other sizes": (
            IMAGES, _idx(pixels.reshape(COUNT, 14, 56)), "takes images of 28 x 28, got 14 x 56"
        ),
        "fewer labels": (
            LABELS, _idx(digits[:-2]), f"a label for each of the {COUNT} .*got {COUNT - 2}"
        ),
        "a wrong label": (
            LABELS, _idx(np.where(np.arange(COUNT) == 6, 10, digits).astype(np.uint8)),
            "takes labels from 0 to 9, got 10 at index 6",
        ),
    }[kind]  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [
        "empty", "half a head", "truncated", "too long", "no image", "labels for images",
        "images for labels", "floats", "vast", "half a gz", "a gz of noise", "no gz",
        "a gz that was changed", "other sizes", "fewer labels", "a wrong label",
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, kind):
    _write(tmp_path)
    name, content, text = _damaged(kind)
    (tmp_path / name.removesuffix(".gz")).unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=text) as caught:
        MNIST(tmp_path)
    assert str(tmp_path / name) in str(caught.value)


def test_scikit_learns_digits():
    data, expected = Digits(), load_digits()
    assert len(data) == 1797
    assert data.feature_shape == (1, 8, 8)
    features, factors = data.batch(slice(None))
    assert features.dtype == np.float32
    assert np.array_equal(features[:, 0] * 16, expected.images)
    assert np.array_equal(factors[:, 0], expected.target)
    assert datasets.build(data.options()).table() == data.table()
    assert datasets.audit(data, pairs=50, clips=1000).passes


def test_mnist_where_there_is_one_else_digits(tmp_path):
    assert isinstance(datasets.images(), Digits)
    assert isinstance(datasets.images(tmp_path), Digits)
    _write(tmp_path, "train-images.idx3-ubyte.gz")
    assert isinstance(datasets.images(tmp_path), MNIST)
    (tmp_path / LABELS).unlink()
    with pytest.raises(FileNotFoundError, match="no MNIST labels"):  # half a set is no choice
        datasets.images(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder takes a folder"):
        datasets.images(tmp_path / "mispelt")


@pytest.mark.parametrize(
    "call",
    [
        lambda data: data.audio([0]),
        lambda data: data.features_of(np.zeros((1, 8))),
        lambda data: data.to_audio(data.features([0])),
        lambda data: data.in_memory().to_audio(data.features([0])),
    ],
)
def test_images_have_no_sound(call):
    data = Digits()
    assert data.sample_rate == 0
    with pytest.raises(ValueError, match="got Digits: images have no sound"):
        call(data)


def test_images_are_stored_and_paired_and_put_on_a_device(tmp_path):
    data = Digits()
    expected = data.features(slice(None))
    stored = datasets.open_shards(datasets.write_shards(data, tmp_path / "s", rows_per_shard=700))
    assert np.array_equal(stored.features(slice(None)), expected)
    assert stored.sample_rate == 0
    assert np.array_equal(data.on_device("cpu").tensor.numpy(), expected)
    rows = np.arange(20)
    other = datasets.Pairs(data).partners(rows, seed=0)
    assert (data.table(other)["digit"] != data.table(rows)["digit"]).all()


def test_a_model_learns_from_images():
    model = models.build("conv3", 3, (1, 8, 8), channels=(4,), hidden=(16,), seed=0)
    config = training_data.config(batch_size=128, learning_rate=1e-2)
    rows = train(model, objectives.build("vae"), Digits(), config).history
    losses = [row["train"]["loss"] for row in rows]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.95 * losses[0]
