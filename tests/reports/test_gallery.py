"""Pictures and sounds of a report: what the gallery asks of a model, and how it is drawn."""

from __future__ import annotations

import wave
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fastdis.reports import data_uris, figures, gallery, model_samples, model_view
from tests.reports.report_data import Bump, Tones, decoded, fake_results


@pytest.fixture(scope="module")
def results():
    return fake_results(epochs=0)


def test_gallery_leaves_the_model_as_it_was(results):
    model, dataset = Bump((1, 16, 8)), Tones()
    model.train()
    model.frozen.eval()
    state = torch.random.get_rng_state()
    model_view.model_view(replace(results.models[0], model=model, dataset=dataset), 1, 0)
    assert model.training
    assert model.dropout.training
    assert not model.frozen.training
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(p.grad is None for p in model.parameters())


def test_gallery_restores_the_mode_after_an_error():
    model = Bump((1, 16, 8)).train()
    with pytest.raises(RuntimeError), model_samples.evaluating(model):
        raise RuntimeError
    assert model.training
    assert torch.is_grad_enabled()


def test_gallery_is_deterministic_and_in_evaluation_mode():
    model, dataset = Bump((1, 16, 8)).train(), Tones()
    indices = model_samples.pick(dataset, 5, seed=3)
    assert len(set(indices.tolist())) == 5
    assert np.array_equal(indices, model_samples.pick(dataset, 5, seed=3))
    assert not np.array_equal(indices, model_samples.pick(dataset, 5, seed=4))
    # With dropout on, two passes would differ.
    first, second = (model_samples.reconstruct(model, dataset, indices) for _ in range(2))
    assert np.array_equal(first.features, second.features)
    draws = [model_samples.sample_prior(model, dataset, 4, 3, seed).features for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_traversal_moves_one_code_and_leaves_the_others():
    model, dataset = Bump((1, 16, 8)), Tones()
    values = np.linspace(-3, 3, 10)
    moved = model_samples.traverse(model, dataset, 7, values, with_sound=[0, 3])
    assert moved.features.shape == (4, 10, 1, 16, 8)
    assert moved.audio.keys() == {0, 3}
    code = model_samples.encode(model, dataset.batch([7])[0])[0]
    code[1] = values[2]
    assert np.allclose(moved.features[1, 2], model_samples.decode(model, code[None])[0], atol=1e-6)
    assert np.ptp(moved.features[0], axis=0).max() > 0.1
    assert np.ptp(moved.features[3], axis=0).max() == 0.0  # a dead code
    expected = dataset.to_audio(moved.features[0])
    assert np.allclose(moved.audio[0], expected, atol=1e-6)


def test_quiet_and_clipping_sounds_share_one_gain():
    quiet = np.array([[0.001, -0.002]], np.float32)
    assert model_samples.gain(quiet, 2 * quiet) == pytest.approx(200.0)
    assert model_samples.gain(np.array([[0.3]], np.float32), quiet) == 1.0
    assert model_samples.gain(np.array([[4.0]], np.float32)) == pytest.approx(0.2)
    assert model_samples.gain(np.zeros((1, 3), np.float32)) == 1.0


def test_sounds_are_fewer_where_they_are_large():
    assert gallery._fewer(8, 100, 8, 6400) == 8
    assert gallery._fewer(8, 100, 8, 3200) == 4
    assert gallery._fewer(8, 10**9, 8, 100) == 1


# Media


def test_wav_round_trip_and_clipping():
    audio = np.array([0.0, 0.5, -1.0, 3.0], np.float32)
    head, data = decoded(data_uris.wav_uri(audio, 8000))
    assert head == "data:audio/wav;base64"
    with wave.open(data) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        samples = np.frombuffer(file.readframes(4), "<i2")
    assert samples.tolist() == [0, 16384, -32767, 32767]


def test_steps_join_without_a_jump():
    rate = 8000
    clips = np.stack([np.full(rate, level, np.float32) for level in (0.5, -0.5, 1.0)])
    joined = data_uris.in_steps(clips, rate, seconds=0.25)
    assert joined.shape == (3 * 2000,)
    assert np.abs(np.diff(joined)).max() < 0.03
    assert joined[1000] == 0.5
    short = data_uris.in_steps(clips[:, :10], rate, seconds=0.25)
    assert short.shape == (30,)


def test_strip_puts_low_frequencies_at_the_bottom_and_loses_no_line():
    features = np.zeros((3, 128, 30), np.float32)
    features[1, 0] = 1.0
    features[2, 101] = 1.0
    _, data = decoded(figures.strip(features, 0.0, 1.0, height=64))
    pixels = np.asarray(Image.open(data).convert("RGBA"))
    assert pixels.shape == (64, 3 * 30 + 2, 4)
    bright = pixels[..., :3].sum(axis=2) > 600
    assert bright[-1, 31:61].all()
    assert bright[63 - 101 // 2, 62:].all()
    assert bright.sum() == 2 * 30
    assert (pixels[:, 30, 3] == 0).all()  # see-through between thumbnails
    assert (pixels[:, :30, 3] == 255).all()


@pytest.mark.parametrize(
    ("bins", "frames", "size"), [(60, 16, (60, 48)), (129, 16, (65, 48)), (8, 8, (48, 48))]
)
def test_small_thumbnails_are_enlarged_by_whole_factors(bins, frames, size):
    features = np.random.default_rng(0).random((2, bins, frames)).astype(np.float32)
    pixels = np.asarray(Image.open(decoded(figures.strip(features, 0.0, 1.0))[1]))
    height, width = pixels.shape
    assert (height, width) == (size[0], 2 * size[1] + 1)
    columns = pixels[:, : size[1]].reshape(height, frames, -1)
    assert (columns == columns[:, :, :1]).all()
    assert len(np.unique(columns[:, :, 0], axis=1).T) == frames


def test_animation_goes_there_and_back():
    features = np.linspace(0, 1, 10)[:, None, None] * np.ones((10, 16, 8), np.float32)
    gif, still = figures.animation(features, 0.0, 1.0)
    image = Image.open(decoded(gif)[1])
    assert image.n_frames == 18
    assert image.info["loop"] == 0
    assert Image.open(decoded(still)[1]).size == image.size
