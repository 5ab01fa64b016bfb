"""Pictures of models of waveforms and of images, and maps of their codes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from fastdis.factors import Factor, FactorSpace
from fastdis.reports import figures, gallery, latent_maps, model_samples, model_view, page
from tests.reports.report_data import (
    Bump,
    Outline,
    Squares,
    Tones,
    Waves,
    decoded,
    fake_study,
    sources,
    without_pictures,
)


class Flat(torch.nn.Module):
    """Codes that are the first values of the features, or their first principal ones by hand."""

    def __init__(self, shape, codes=4, factor=1.0):
        super().__init__()
        self.shape, self.factor = shape, torch.nn.Parameter(torch.tensor(factor))
        self.basis = torch.eye(codes, int(np.prod(shape)))

    def encode(self, x):
        codes = self.factor * x.reshape(len(x), -1) @ self.basis.T
        return codes, torch.zeros_like(codes)

    def decode(self, z):
        return (z @ self.basis).reshape(len(z), *self.shape)


def study(dataset, **model):
    results = fake_study(dataset, codes=4, epochs=0)
    flat = Flat(dataset.feature_shape)
    return replace(results, models=[replace(m, model=flat, **model) for m in results.models[:1]])


def only_view(results, **options):
    return model_view.model_view(results.models[0], 1, 0, **options)


def pixels(uri):
    return np.asarray(Image.open(decoded(uri)[1]).convert("RGB")).sum(axis=2)


# Waveforms


def test_a_spectrogram_is_in_decibels_of_a_sine_of_full_scale():
    time = np.arange(2000) / 8000
    tone = np.sin(2 * np.pi * 1000 * time)
    levels = figures.spectrogram(np.stack([tone, 0.1 * tone, 0 * tone]).astype(np.float32))
    assert levels.shape[1] == 129
    assert 32 <= levels.shape[2] <= 64
    middle = levels[:, :, levels.shape[2] // 2]
    assert middle[:2].argmax(axis=1).tolist() == [32, 32]  # 1 kHz of 31.25 Hz a bin
    assert middle[:2].max(axis=1) == pytest.approx([0.0, -20.0], abs=0.1)
    assert middle[2].max() <= -190.0


@pytest.mark.parametrize("samples", [2, 17, 100, 100_000])
def test_a_spectrogram_of_any_length_is_a_small_picture(samples):
    levels = figures.spectrogram(np.ones((1, samples), np.float32))
    assert np.isfinite(levels).all()
    assert levels.shape[1] <= 513
    assert 1 <= levels.shape[2] <= 101


def test_models_of_waveforms_show_spectrograms():
    results = study(Waves())
    view = only_view(results)
    assert view.kind is figures.WAVEFORM
    _, (original, _) = view.gallery.reconstructions[0]
    picture = pixels(original.picture)
    assert min(picture.shape) >= 30  # not the one row that the features are
    audio = results.models[0].dataset.audio(model_samples.pick(Waves(), 3, 0)[:1])
    levels = figures.spectrogram(audio)[0]
    row = figures._fewer_bins(levels, 64)[::-1].mean(axis=1).argmax()
    assert picture.mean(axis=1).argmax() == pytest.approx(
        row * picture.shape[0] / len(figures._fewer_bins(levels, 64)), abs=2
    )
    assert np.ptp(pixels(view.gallery.samples[0].picture)) > 0
    assert all(np.ptp(pixels(row.picture)) > 0 for row in view.gallery.rows)
    html = page.render(results)
    Outline(html)
    assert 'alt="Spectrogram of' in html
    assert 'alt="Features of' not in html
    assert html.count("<audio") == 2 * 3 + 6 + 4


def test_the_scale_of_spectrograms_spans_80_db_at_most():
    low, high = figures.color_range(Waves(), 0)
    assert high - low == pytest.approx(80.0)
    assert high == pytest.approx(2.1, abs=1.5)  # squares: 4 / pi of a sine


# Images


def test_images_stand_upright_and_keep_their_shape():
    dataset = Squares()
    drawn = figures.pictures(dataset, dataset.batch([0, 9])[0])
    assert drawn.shape == (2, 108, 108)  # nine pixels each
    strip = pixels(figures.strip(drawn, 0.0, 1.0, height=108))
    assert strip.shape == (108, 2 * 108 + 1)
    bright = strip > 600
    assert bright[:18, :18].all()
    assert bright[:, :108].sum() == 18 * 18
    assert bright[81:99, 109 + 81 : 109 + 99].all()
    large = np.zeros((1, 1, 200, 100), np.float32)
    assert figures.pictures(dataset, large).shape == (1, 200, 100)
    media = gallery._Media(dataset, (0.0, 1.0))
    assert pixels(media.strip(large)).shape == (200, 100)


def test_models_of_images_have_pictures_without_players():
    results = study(Squares())  # which has no audio() that could be asked
    view = only_view(results)
    assert view.gallery.louder == 0.0
    html = page.render(results)
    Outline(html)
    assert "<audio" not in html
    assert "data:audio" not in html
    assert 'alt="Image of' in html
    assert "waveform" not in html[html.index('<section id="reconstructions">') :].lower()
    kinds = [source.split(";")[0] for source in sources(html)]
    assert kinds.count("data:image/gif") == 1
    assert len(view.gallery.samples) == 6
    assert len(view.gallery.rows) == 4


def test_a_page_of_several_kinds_says_what_each_shows():
    several = [study(d).models[0] for d in (Tones(), Waves(), Squares())]
    several = [replace(m, title=str(i), history=[]) for i, m in enumerate(several)]
    html = page.render(replace(study(Tones()), models=several))
    Outline(html)
    for kind in (figures.FEATURES, figures.WAVEFORM, figures.IMAGE):
        assert f'alt="{kind.name} of' in html
    assert html.count("<audio") == 2 * (2 * 3 + 6 + 4)


# Many codes


def test_twenty_codes_have_pictures_and_the_most_informative_have_sounds(monkeypatch):
    results = fake_study(codes=20, epochs=0)
    result = results.models[0]
    assert len(gallery._with_sound(np.ones(20), 500, 2000, models=1)) == gallery.MOST_WITH_SOUND
    each = gallery._sound_bytes(10 * 500)  # ten clips of 0.25 s, shorter than a step may be
    monkeypatch.setattr(gallery, "TRAVERSAL_BYTES", 7 * each)
    view = model_view.model_view(result, 1, 0)
    heard = [row.code for row in view.gallery.rows if row.sound]
    informative = np.argsort(-result.mutual_information.max(axis=0), kind="stable")[:7]
    assert heard == sorted(informative.tolist())
    assert len(view.gallery.rows) == 20
    assert '<div class="pairs wide">' in page.render(without_pictures(results))


# Maps


def test_a_map_of_each_factor_by_the_codes_that_tell_most(monkeypatch):
    result = fake_study(codes=4).models[0]
    information = np.zeros((3, 4))
    information[0, [2, 1]] = 0.5, 0.9
    information[1, 3] = np.nan
    information[2, [0, 3]] = 0.2, 0.7
    drawn = []
    monkeypatch.setattr(latent_maps, "_draw", lambda *args: drawn.append(args[1:]))
    found = latent_maps.latent_maps(replace(result, mutual_information=information), seed=0)
    assert [(m.factor, m.unit) for m in found] == [
        ("frequency", "Hz"), ("amplitude", ""), ("waveform", ""),
    ]  # fmt: skip
    assert [m.axes for m in found] == [
        "code 1 against code 2", "code 0 against code 1", "code 3 against code 0",
    ]  # fmt: skip
    codes, values, factor, across, up = drawn[0]
    assert codes.shape == (400, 4)  # every clip of a small set, once
    indices = model_samples.pick(result.dataset, latent_maps.CLIPS, 0)
    assert sorted(indices.tolist()) == list(range(400))
    features, rows = result.dataset.batch(indices)
    assert np.allclose(codes, model_samples.encode(result.model, features), atol=1e-6)
    assert np.array_equal(values, rows[:, 0])
    assert (factor.name, across, up) == ("frequency", 1, 2)


def test_maps_are_colored_by_the_values_of_the_factor():
    from matplotlib.figure import Figure

    codes = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
    values = np.array([0.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    levels = Factor("harmonics", [0.0, 1.0, 2.0], "categorical", labels=("all", "even", "odd"))
    figure = Figure()
    latent_maps._draw(figure, codes, values, levels, 0, 1)
    dots = figure.axes[0].collections[0]
    assert np.array_equal(dots.get_offsets(), codes)
    colors = [tuple(color) for color in dots.get_facecolors()]
    assert len(set(colors)) == 3
    assert colors[:3] == colors[:2:-1]
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["all", "even", "odd"]
    handles = [tuple(handle.get_facecolor()[0]) for handle in legend.legend_handles]
    assert handles == colors[:3]
    figure.clear()
    latent_maps._draw(figure, codes, values, Factor("decay", [0.0, 2.0], "continuous"), 1, 0)
    axes, scale = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("code 1", "code 0")
    assert np.array_equal(axes.collections[0].get_array(), values)
    assert np.array_equal(axes.collections[0].get_offsets(), codes[:, ::-1])
    assert scale.get_ylim() == (0.0, 2.0)


def test_a_categorical_factor_of_many_levels_is_on_a_scale():
    from matplotlib.figure import Figure

    figure, count = Figure(), len(latent_maps.COLORS)
    codes = np.zeros((3, 2), np.float32)
    for more, axes in ((0, 1), (1, 2)):
        figure.clear()
        factor = Factor("x", range(count + more), "categorical")
        latent_maps._draw(figure, codes, np.arange(3.0), factor, 0, 1)
        assert len(figure.axes) == axes


def test_one_code_is_drawn_against_the_factor():
    found = latent_maps.latent_maps(fake_study(codes=1).models[0], 0)
    assert [m.axes for m in found] == ["code 0 against the factor"] * 3


def test_maps_are_shown_where_asked_for():
    results = fake_study(epochs=0)
    html = page.render(replace(results, models=results.models[:1], maps=True))
    Outline(html)
    maps = html[html.index('<section id="maps">') : html.index('<section id="reconstructions">')]
    assert maps.count("<img") == 3
    assert re.search(r'alt="[^"]*CNN: code \d against code \d[^"]*waveform"', maps)
    first, second = (latent_maps.latent_maps(results.models[0], 0) for _ in range(2))
    assert first == second


def test_a_model_without_finite_codes_has_no_maps():
    results = without_pictures(fake_study())
    html = page.render(replace(results, models=results.models[:1], maps=True))
    Outline(html)
    assert html.count("the encoder gave values that are not finite") == 4


def test_maps_take_a_part_of_a_large_set_in_small_batches():
    class Large(Tones):
        def __len__(self):
            return 1_000_000

        def batch(self, indices):
            assert len(indices) <= latent_maps.BATCH
            return super().batch(indices)

    dataset = Large()
    assert isinstance(dataset.space, FactorSpace)
    indices = model_samples.pick(dataset, latent_maps.CLIPS, 0)
    codes, values = latent_maps.encoded(Bump(dataset.feature_shape), dataset, indices)
    assert codes.shape == (1500, 4)
    assert values.shape == (1500, 3)
