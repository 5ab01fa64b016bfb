"""The noise kernel: its words against published vectors, its normals against their NumPy twin."""

import hashlib

import numpy as np
import pytest

from fastdis._kernels import philox, reference

native = pytest.importorskip("fastdis._kernels._noise")

LOUDEST = 1e30
MOST = 2**64 - 1

# counter, key, words: the known answers of Random123, kat_vectors, philox4x32 10
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def _words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def _box_muller(even: int, odd: int) -> list[float]:
    """By the definition, one pair at a time."""
    r = np.sqrt(-2 * np.log(((even >> 9) + 0.5) / 2**23))
    h = ((odd if odd < 2**31 else odd - 2**32) >> 8) / 2**23
    return [r * np.cos(np.pi * h), r * np.sin(np.pi * h)]


def _normals(module, seed, index, first, count):
    out = np.full(count, np.nan, np.float32)
    module.normals(seed, index, first, out)
    return out


def _add_noise(module, audio, snr_db, *, seed=0, index=None, out=None):
    """How many clips are done, and the noisy clips."""
    batch = len(audio)
    ratio = np.broadcast_to(np.asarray(snr_db, np.float64), batch).copy()
    stream = np.arange(batch, dtype=np.uint64) if index is None else np.asarray(index, np.uint64)
    out = np.full(audio.shape, np.nan, np.float32) if out is None else out
    return module.add_noise(audio, ratio, seed, stream, LOUDEST, out), out


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter, key, expected):
    x, k = _words(counter), _words(key)
    words = philox.philox(tuple(np.array([v], np.uint64) for v in x), tuple(k))
    assert [int(word[0]) for word in words] == _words(expected)


@pytest.mark.parametrize("module", [native, reference], ids=["native", "twin"])
@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers_where_they_stand_in_the_stream(module, counter, key, expected):
    x, k, w = _words(counter), _words(key), _words(expected)
    block = x[0] + (x[1] << 32)
    first = block - block % 256
    out = _normals(module, k[0] + (k[1] << 32), x[2] + (x[3] << 32), first, 1024)
    g, c = divmod(block - first, 16)
    got = out.reshape(16, 4, 16)[g, :, c]
    expected_normals = [*_box_muller(w[0], w[1]), *_box_muller(w[2], w[3])]
    np.testing.assert_allclose(got, expected_normals, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2**32, 0x0123456789ABCDEF, MOST])
@pytest.mark.parametrize(
    ("index", "first"), [(0, 0), (2**32 - 1, 2**32 - 256), (MOST, 2**63 + 256)]
)
def test_normals_equal_their_twin(seed, index, first):
    """One wrong bit of a word would move a normal by far more, in half of the words or so."""
    got = _normals(native, seed, index, first, 3000)
    np.testing.assert_allclose(
        got, _normals(reference, seed, index, first, 3000), rtol=0, atol=1.5e-6
    )


def test_normals_have_the_same_bits_at_every_instruction_level():
    """Each step is one rounded operation: the bits are part of the stream."""
    bits = _normals(native, 2**63 + 5, 77, 256, 20_000).astype("<f4").tobytes()
    assert hashlib.sha256(bits).hexdigest() == (
        "136524669c29923bf61fcd911411558f9e91590783de45414d8a60e41e8a830e"
    )


def test_a_long_stream_equals_its_twin():
    """Large and small radii, and every eighth of a turn."""
    got = _normals(native, 0, 0, 0, 400_000)
    expected = _normals(reference, 0, 0, 0, 400_000)
    assert np.abs(expected).max() > 4.4
    assert np.abs(expected).min() < 1e-4
    np.testing.assert_allclose(got, expected, rtol=0, atol=1.5e-6)


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 63, 64, 65, 1023, 1024, 1025, 2112, 22_050])
def test_add_noise_equals_its_twin(length, rng):
    audio = rng.standard_normal((6, length)).astype(np.float32)
    audio[1] = 0.0
    audio[2] *= 1e-18
    audio[3] *= 1e18
    snr_db = [0.0, 10.0, -20.0, 60.0, np.inf, -200.0]
    index = [0, 3, MOST, 2**32, 5, 5]
    done, got = _add_noise(native, audio, snr_db, seed=9, index=index)
    expected_done, expected = _add_noise(reference, audio, snr_db, seed=9, index=index)
    assert done == expected_done == 6
    scale = np.abs(expected).max(axis=1, keepdims=True) + np.float32(1e-30)
    np.testing.assert_allclose(got / scale, expected / scale, rtol=0, atol=1e-6)
    assert (got[1] == 0).all()
    assert (got[4] == audio[4]).all()


@pytest.mark.parametrize("length", [1, 64, 1000, 1024, 5000])
def test_in_place_gives_the_same_bits(length, rng):
    audio = rng.standard_normal((3, length)).astype(np.float32)
    _, expected = _add_noise(native, audio, 3.0, seed=1)
    done, got = _add_noise(native, audio, 3.0, seed=1, out=audio)
    assert got is audio
    assert done == 3
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("length", [0, 1, 63, 65, 1025])
def test_every_sample_of_out_is_written_and_no_other(batch, length):
    whole = np.full((batch + 2, length), 7.0, np.float32)
    done, _ = _add_noise(native, np.ones((batch, length), np.float32), 20.0, out=whole[1:-1])
    assert done == batch
    assert (whole[[0, -1]] == 7.0).all()
    assert (np.abs(whole[1:-1] - 1) < 1).all()
    alone = np.full(length + 2, 7.0, np.float32)
    native.normals(0, 0, 0, alone[1:-1])
    assert (alone[[0, -1]] == 7.0).all()
    assert (alone[1:-1] != 7.0).all()


@pytest.mark.parametrize("module", [native, reference], ids=["native", "twin"])
@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf, 1e32, "ratio"])
@pytest.mark.parametrize("in_place", [False, True])
def test_it_stops_before_the_first_clip_that_cannot_be(module, fault, in_place):
    audio = np.ones((4, 1500), np.float32)
    snr_db = np.full(4, 20.0)
    if fault == "ratio":
        snr_db[2] = -601.0  # noise of 1.1e30
    else:
        audio[2, 1499] = fault
    clean = audio.copy()
    done, noisy = _add_noise(module, audio, snr_db, out=audio if in_place else None)
    assert done == 2
    assert np.isfinite(noisy[:2]).all()
    assert (noisy[:2] != 1).any()
    if in_place:
        np.testing.assert_array_equal(noisy[2:], clean[2:])


@pytest.mark.parametrize("module", [native, reference], ids=["native", "twin"])
def test_a_normal_that_is_zero_cannot_be_scaled(module):
    """One in eight million, and only in a clip of one sample."""
    index = [14789796]
    assert _normals(module, 0, index[0], 0, 1)[0] == pytest.approx(0, abs=1e-15)
    audio = np.ones((1, 1), np.float32)
    assert _add_noise(native, audio, 0.0, index=index)[0] == 0
    assert _add_noise(module, audio, np.inf, index=index) == (1, audio)


def test_arguments_may_be_read_only():
    audio = np.ones((1, 100), np.float32)
    audio.flags.writeable = False
    assert _add_noise(native, audio, 0.0)[0] == 1
