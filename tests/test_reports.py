"""Reports: the score table and its marks, what the gallery asks of a model, the page as a file."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import wave
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import fastdis
from fastdis import reports
from fastdis.reports import figures, gallery, media, page, tables, views
from fastdis.reports.results import ModelResult, Results

torch = pytest.importorskip("torch")


class Tones:
    """Tones of a frequency, amplitude and waveform; bands of their spectrum as features."""

    def __init__(self, bands=16, frames=8, sample_rate=2000, duration=0.25, level=1.0, factors=3):
        self.feature_shape = (1, bands, frames)
        self.sample_rate, self.samples, self.level = sample_rate, int(sample_rate * duration), level
        self.space = SimpleNamespace(names=("frequency", "amplitude", "waveform")[:factors])

    def __len__(self):
        return 400

    def values(self, indices):
        i = np.asarray(indices)
        frequency = self.sample_rate * (0.03 + 0.42 * (i % 20) / 20)
        columns = [frequency, 0.1 + 0.9 * (i // 20 % 10) / 9, i // 200]
        return np.stack(columns, axis=1).astype(np.float64)

    def audio(self, indices):
        values = self.values(indices)
        time = np.arange(self.samples) / self.sample_rate
        sine = np.sin(2 * np.pi * values[:, :1] * time)
        tone = np.where(values[:, 2:] > 0, np.sign(sine), sine)
        return (values[:, 1:2] * tone).astype(np.float32)

    def batch(self, indices):
        _, bands, frames = self.feature_shape
        spectrum = np.abs(np.fft.rfft(self.audio(indices)))[:, 1:]
        edges = np.arange(bands) * spectrum.shape[1] // bands
        features = np.maximum.reduceat(spectrum, edges, axis=1) * 2 / self.samples
        features = np.repeat(features[:, None, :, None], frames, axis=3)
        k = len(self.space.names)
        return features.astype(np.float32), self.values(indices)[:, :k]

    def to_audio(self, features):
        bands = self.feature_shape[1]
        time = np.arange(self.samples) / self.sample_rate
        centres = (np.arange(bands) + 0.5) * self.sample_rate / 2 / bands
        tones = np.sin(2 * np.pi * centres[:, None] * time)
        return (self.level * features[:, 0].mean(axis=2) @ tones / 2).astype(np.float32)

    def describe(self, index):
        frequency, amplitude, shape = self.values([index])[0]
        name = "square" if shape else "sine"
        return f"{name}, {frequency:,.0f} Hz, amplitude {amplitude:.2f}"


class Bump(torch.nn.Module):
    """A model whose first codes move a bump of the spectrum; the others do nothing."""

    def __init__(self, shape, codes=4):
        super().__init__()
        self.shape = shape
        self.mix = torch.nn.Parameter(torch.eye(codes))
        self.dropout = torch.nn.Dropout(0.5)
        self.frozen = torch.nn.BatchNorm1d(codes).eval()

    def encode(self, x):
        energy = x.mean(dim=(1, 3))
        place = torch.linspace(-2, 2, energy.shape[1])
        parts = [(energy * place).sum(1) / energy.sum(1).clamp_min(1e-6), energy.amax(1) * 4 - 2]
        codes = torch.zeros(len(x), len(self.mix))
        for i, part in enumerate(parts[: len(self.mix)]):
            codes[:, i] = part
        codes = self.dropout(codes @ self.mix)
        return codes, torch.zeros_like(codes)

    def decode(self, z):
        z = torch.nn.functional.pad(z, (0, max(0, 3 - z.shape[1])))
        _, bands, frames = self.shape
        place = torch.linspace(-2, 2, bands)[None]
        width = 0.05 * torch.exp(0.4 * z[:, 2:3])
        bump = torch.exp(-(((place - z[:, :1].clamp(-2, 2)) / width) ** 2))
        fade = torch.linspace(1.0, 0.6, frames)
        level = torch.sigmoid(z[:, 1:2] + 1.5)
        return (level * bump)[:, None, :, None] * fade


TITLES = {"beta_vae": "β-VAE", "factor_vae": "FactorVAE", "beta_tcvae": "β-TCVAE", "vae": "VAE"}
METRICS = ["mig", "sap", "dcimig", "jemmig", "modularity"]


def fake_model(name, protocol, dataset, *, codes=4, epochs=3, seed=0):
    rng = np.random.default_rng(seed)
    history = []
    for epoch in range(1, epochs + 1):
        terms = {
            "reconstruction": 80 * np.exp(-epoch / 4) + 6 + rng.random(),
            "kl": 5 * (1 - np.exp(-epoch / 3)) + 0.2 * rng.random(),
            "total_correlation": np.exp(-epoch / 5) + 0.1 * rng.random(),
        }
        terms["loss"] = sum(terms.values())
        higher = {key: value * 1.08 for key, value in terms.items()}
        row = {"epoch": epoch, "train": terms, "validation": higher}
        history.append({**row, "clips_per_second": 612.0, "seconds": 41.8})
    conventions = ["published", "standard"] if protocol == "published" else ["standard"]
    low, high = (0.05, 0.3) if protocol == "published" else (0.3, 0.9)
    scores = {
        c: {m: (float(rng.uniform(low, high)), float(rng.uniform(0.003, 0.03))) for m in METRICS}
        for c in conventions
    }
    names = dataset.space.names
    information = rng.random((len(names), codes)) ** 4 * 0.6
    for k in range(min(len(names), codes)):
        information[k, (3 * k + 1) % codes] = high - 0.2 * rng.random()
    model = Bump(dataset.feature_shape, codes)
    return ModelResult(
        name, TITLES[name], protocol, model, dataset, history, scores, information
    )  # fmt: skip


def fake_audit(names, failing=()):
    factors = [
        SimpleNamespace(
            name=name,
            indistinguishable=1.0 if name in failing else 0.002,
            smallest_distance=1.7e-16 if name in failing else 0.0132,
            median_distance=2.2e-16 if name in failing else 0.871,
            accuracy=0.051 if name in failing else 0.97,
            chance=0.05,
            passes=name not in failing,
            verdict=f"{name} is erased by the features" if name in failing else f"{name} is there",
        )
        for name in names
    ]
    verdict = f"The features hold {len(names) - len(failing)} of {len(names)} factors."
    return SimpleNamespace(verdict=verdict, factors=factors)


def fake_results(
    names=("beta_vae", "vae"), protocols=("published", "sound"), dataset=None, **model
):
    datasets = {p: dataset or Tones(level=0.01 if p == "published" else 0.5) for p in protocols}
    rng = np.random.default_rng(7)
    return Results(
        title="SynTone, repeated",
        summary=["Four objectives, trained as published and soundly, side by side."],
        settings={"epochs": "20", "batch size": "64"},
        models=[
            fake_model(name, p, datasets[p], seed=10 * i + len(p), **model)
            for p in protocols
            for i, name in enumerate(names)
        ],
        audits={
            p: fake_audit(datasets[p].space.names, ("amplitude",) if p == "published" else ())
            for p in protocols
        },
        reference_table={
            TITLES[n]: {m.upper(): (float(rng.uniform(0.02, 0.3)), 0.01) for m in METRICS}
            for n in names
        },
        reference_name="SynTone, Table 1",
        explanation=["The published scoring swaps the roles of factors and codes."],
        repeat=["fastdis run syntone --seed 0"],
    )


@pytest.fixture(scope="module")
def results():
    return fake_results()


@pytest.fixture(scope="module")
def html(results):
    return page.render(results)


def sources(html):
    return re.findall(r'(?:src|srcset)="([^"]*)"', html)


def decoded(uri):
    head, data = uri.split(",", 1)
    return head, io.BytesIO(base64.b64decode(data))


class Outline(HTMLParser):
    """Checks that tags nest, and keeps what a reader with no screen has of pictures and players."""

    VOID = frozenset({"meta", "img", "br", "source", "link", "input", "hr"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


# The score table


def with_scores(results, **scores):
    """One metric for each model title, standard convention, sound protocol only."""
    sound = next(m for m in results.models if m.protocol == "sound")
    models = [
        replace(sound, title=title, scores={"standard": {"mig": score}})
        for title, score in scores.items()
    ]
    return replace(results, models=models, reference_table={})


def test_columns_stand_in_the_order_of_the_argument(results):
    columns, blocks = tables.score_blocks(results)
    assert [(c.protocol, c.convention) for c in columns] == [
        (None, ""), ("published", "published"), ("published", "standard"), ("sound", "standard"),
    ]  # fmt: skip
    assert [b.metric.title for b in blocks] == ["MIG", "SAP", "DCIMIG", "JEMMIG", "Modularity"]
    first = dict(blocks[0].rows)["VAE"]
    vae = [m for m in results.models if m.title == "VAE"]
    expected = [
        results.reference_table["VAE"]["MIG"],
        vae[0].scores["published"]["mig"],
        vae[0].scores["standard"]["mig"],
        vae[1].scores["standard"]["mig"],
    ]
    assert [c.text for c in first] == [f"{m:.3f} ± {s:.3f}" for m, s in expected]


def test_best_of_a_column_is_marked_ties_included_and_never_alone(results):
    def marks(**scores):
        (_, (block,)) = tables.score_blocks(with_scores(results, **scores))
        return [title for title, cells in block.rows if cells[0].best]

    assert marks(A=(0.2, 0.0), B=(0.5, 0.0), C=(0.3, 0.0)) == ["B"]
    assert marks(A=(0.5, 0.0), B=(0.5, 0.1), C=(0.3, 0.0)) == ["A", "B"]
    assert marks(A=(0.5001, 0.0), B=(0.4999, 0.1), C=(0.3, 0.0)) == ["A", "B"]  # both read 0.500
    assert marks(A=(0.5, 0.0)) == []
    assert marks(A=(np.nan, 0.0), B=(0.1, 0.0), C=(0.05, 0.0)) == ["B"]


def test_metric_that_is_better_low_marks_the_lowest():
    cells = tables._cells([(0.2, 0.0), (0.5, 0.0)], higher_is_better=False)
    assert [cell.best for cell in cells] == [True, False]


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_missing_scores_are_a_dash_with_a_note(results, style):
    shown = with_scores(results, A=(np.nan, 0.1), B=(0.25, np.nan), C=(-np.inf, np.inf))
    table = reports.score_table(shown, style)
    assert table.count("–") == 3
    assert tables.MISSING_NOTE in table
    assert "0.250" in table
    assert not re.search(r"\b(nan|inf)\b", table, re.IGNORECASE)


def test_text_table_lines_up(results):
    lines = reports.score_table(results).splitlines()
    rows = [line for line in lines if "±" in line]
    assert len(rows) == 5 * 2
    places = {tuple(m.start() for m in re.finditer("±", row)) for row in rows}
    assert len(places) == 1
    assert max(map(len, lines)) <= 100


def test_markdown_table_has_even_rows_and_keeps_pipes_out(results):
    shown = with_scores(results, **{"a | b <i>": (0.5, 0.0), "c": (0.2, 0.0)})
    table = reports.score_table(shown, "markdown")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    assert "**0.500 ± 0.000**" in table
    assert "<i>" not in table


def test_unknown_style_and_empty_scores(results):
    with pytest.raises(ValueError, match="markdown"):
        reports.score_table(results, "markdwn")
    nothing = [replace(m, scores={}) for m in results.models]
    assert "No scores" in reports.score_table(replace(results, models=nothing, reference_table={}))


def test_numbers_read_well():
    shown = [views.significant(x) for x in (2691.4, 13.42, 1.7e-16, 0.0, np.nan, -np.inf)]
    assert shown == ["2,691", "13.4", "1.7e-16", "0", "–", "–"]


# The gallery


def test_gallery_leaves_the_model_as_it_was(results):
    model, dataset = Bump((1, 16, 8)), Tones()
    model.train()
    model.frozen.eval()
    state = torch.random.get_rng_state()
    views.model_view(replace(results.models[0], model=model, dataset=dataset), 1, 0)
    assert model.training
    assert model.dropout.training
    assert not model.frozen.training
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(p.grad is None for p in model.parameters())


def test_gallery_restores_the_mode_after_an_error():
    model = Bump((1, 16, 8)).train()
    with pytest.raises(RuntimeError), gallery.evaluating(model):
        raise RuntimeError
    assert model.training
    assert torch.is_grad_enabled()


def test_gallery_is_deterministic_and_in_evaluation_mode():
    model, dataset = Bump((1, 16, 8)).train(), Tones()
    indices = gallery.pick(dataset, 5, seed=3)
    assert len(set(indices.tolist())) == 5
    assert np.array_equal(indices, gallery.pick(dataset, 5, seed=3))
    assert not np.array_equal(indices, gallery.pick(dataset, 5, seed=4))
    # With dropout on, two passes would differ.
    first, second = (gallery.reconstruct(model, dataset, indices) for _ in range(2))
    assert np.array_equal(first.features, second.features)
    draws = [gallery.sample_prior(model, dataset, 4, 3, seed).features for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_traversal_moves_one_code_and_leaves_the_others():
    model, dataset = Bump((1, 16, 8)), Tones()
    values = np.linspace(-3, 3, 10)
    moved = gallery.traverse(model, dataset, 7, values, heard=[0, 3])
    assert moved.features.shape == (4, 10, 16, 8)
    assert moved.audio.keys() == {0, 3}
    code = gallery.encode(model, dataset.batch([7])[0])[0]
    code[1] = values[2]
    assert np.allclose(moved.features[1, 2], gallery.decode(model, code[None])[0, 0], atol=1e-6)
    assert np.ptp(moved.features[0], axis=0).max() > 0.1
    assert np.ptp(moved.features[3], axis=0).max() == 0.0  # a dead code
    expected = dataset.to_audio(moved.features[0][:, None])
    assert np.allclose(moved.audio[0], expected, atol=1e-6)


def test_quiet_and_clipping_sounds_share_one_gain():
    quiet = np.array([[0.001, -0.002]], np.float32)
    assert gallery.gain(quiet, 2 * quiet) == pytest.approx(200.0)
    assert gallery.gain(np.array([[0.3]], np.float32), quiet) == 1.0
    assert gallery.gain(np.array([[4.0]], np.float32)) == pytest.approx(0.2)
    assert gallery.gain(np.zeros((1, 3), np.float32)) == 1.0


def test_sounds_are_fewer_where_they_are_large():
    assert views._fewer(8, 100, 8, 6400) == 8
    assert views._fewer(8, 100, 8, 3200) == 4
    assert views._fewer(8, 10**9, 8, 100) == 1


# Media


def test_wav_round_trip_and_clipping():
    audio = np.array([0.0, 0.5, -1.0, 3.0], np.float32)
    head, data = decoded(media.wav_uri(audio, 8000))
    assert head == "data:audio/wav;base64"
    with wave.open(data) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        samples = np.frombuffer(file.readframes(4), "<i2")
    assert samples.tolist() == [0, 16384, -32767, 32767]


def test_steps_join_without_a_jump():
    rate = 8000
    clips = np.stack([np.full(rate, level, np.float32) for level in (0.5, -0.5, 1.0)])
    joined = media.in_steps(clips, rate, seconds=0.25)
    assert joined.shape == (3 * 2000,)
    assert np.abs(np.diff(joined)).max() < 0.03
    assert joined[1000] == 0.5
    short = media.in_steps(clips[:, :10], rate, seconds=0.25)
    assert short.shape == (30,)


def test_strip_puts_low_frequencies_at_the_bottom_and_loses_no_line():
    features = np.zeros((3, 128, 8), np.float32)
    features[1, 0] = 1.0
    features[2, 101] = 1.0
    _, data = decoded(figures.strip(features, 0.0, 1.0, height=64))
    pixels = np.asarray(Image.open(data).convert("RGBA"))
    assert pixels.shape == (64, 3 * 8 + 2, 4)
    bright = pixels[..., :3].sum(axis=2) > 600
    assert bright[-1, 9:17].all()
    assert bright[63 - 101 // 2, 18:].all()
    assert bright.sum() == 2 * 8
    assert (pixels[:, 8, 3] == 0).all()  # see-through between thumbnails
    assert (pixels[:, :8, 3] == 255).all()


def test_animation_goes_there_and_back():
    features = np.linspace(0, 1, 10)[:, None, None] * np.ones((10, 16, 8), np.float32)
    gif, still = figures.animation(features, 0.0, 1.0)
    image = Image.open(decoded(gif)[1])
    assert image.n_frames == 18
    assert image.info["loop"] == 0
    assert Image.open(decoded(still)[1]).size == image.size


def test_figures_leave_pyplot_alone(html):
    code = (
        "import sys, numpy as np\n"
        "from fastdis.reports import figures\n"
        "figures.sound_figures(np.zeros((1, 64), 'f4'), 100, np.ones(1), 'red')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_reports_imports_nothing_heavy():
    code = "import sys, fastdis.reports; print([m for m in sys.modules if '.' not in m])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"torch", "matplotlib", "PIL", "jinja2", "scipy"} & set(eval(out.stdout))


# The page


def test_page_needs_nothing_from_outside(html):
    assert all(source.startswith("data:") for source in sources(html))
    assert not re.search(r"https?://|@import|<script|<link|url\(", html)
    assert "default-src 'none'" in html


def test_page_is_well_formed_and_labelled(html):
    outline = Outline(html)
    assert len(outline.ids) == len(set(outline.ids))
    targets = {a["href"][1:] for tag, a in outline.tags if tag == "a"}
    assert targets <= set(outline.ids)
    assert {anchor for anchor, _ in page.SECTIONS} <= targets
    for tag, attributes in outline.tags:
        assert tag != "img" or attributes["alt"]
        assert tag != "audio" or attributes["aria-label"]


def test_page_has_every_player_and_picture(html, results):
    kinds = [source.split(";")[0] for source in sources(html)]
    models = len(results.models)
    assert kinds.count("data:audio/wav") == models * (2 * 3 + 6 + 4)
    assert kinds.count("data:image/gif") == models
    for source in sources(html):
        head, data = decoded(source)
        if head.startswith("data:image"):
            Image.open(data).load()


def test_page_shows_what_it_was_given(html, results):
    assert html.index('VAE</span> <span class="tag">published') < html.index('tag">sound')
    for text in (
        *results.summary, *results.explanation, *results.repeat, "batch size",
        "✓ pass", "✗ fail", "amplitude is erased by the features", "1.7e-16",
        torch.__version__, np.__version__, fastdis.__version__,
    ):  # fmt: skip
        assert text in html, text
    assert "dB\nlouder" in html  # the published features hold no level


def test_page_is_the_same_for_the_same_results(html, results):
    assert page.render(results) == html


def test_page_escapes_what_it_is_given(results):
    bad = '<script>alert("1")</script>'
    dataset = Tones()
    dataset.describe = lambda index: bad
    model = replace(
        results.models[0],
        title=bad,
        dataset=dataset,
        history=[{"epoch": 1, "train": {bad: 1.0, "$\\frac{": 2.0}, "validation": {}}],
    )
    shown = replace(
        results, title=bad, summary=[bad], settings={bad: bad}, models=[model], repeat=[bad],
        reference_name=bad, reference_table={bad: {bad: (0.1, 0.1)}}, explanation=[bad],
    )  # fmt: skip
    html = page.render(shown)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    Outline(html)


@pytest.mark.parametrize("protocol", ["published", "sound"])
def test_smallest_results_still_make_a_page(protocol):
    shown = fake_results(["vae"], [protocol], Tones(factors=1), codes=1, epochs=0)
    shown = replace(
        shown, audits={}, reference_table={}, summary=[], explanation=[], repeat=[], settings={}
    )
    html = page.render(shown)
    Outline(html)
    assert "No training history" in html
    assert "No audit was given" in html
    assert sources(html)


def test_values_that_are_not_finite_never_reach_the_reader(results):
    model = results.models[0]
    history = [
        {"epoch": 1, "train": {"loss": np.nan, "kl": 1.0}, "validation": {"loss": np.inf}},
        {"epoch": 2, "train": {"loss": np.nan}, "validation": None, "clips_per_second": np.nan},
    ]
    information = np.array(model.mutual_information)
    information[0] = np.nan
    audit = fake_audit(["frequency"])
    audit.factors[0].accuracy = float("nan")
    model = replace(
        model, history=history, mutual_information=information,
        scores={"standard": {"mig": (np.nan, np.nan)}},
    )  # fmt: skip
    html = page.render(replace(results, models=[model], audits={"published": audit}))
    text = re.sub(r'"data:[^"]*"', "", html[html.index("<main") :])
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<[^>]*>", " ", text), re.IGNORECASE)
    assert tables.MISSING_NOTE in html


def test_model_that_gives_nan_is_said_to(results):
    model = results.models[0]
    with torch.no_grad():
        broken = Bump(model.dataset.feature_shape)
        broken.mix.fill_(float("nan"))
    html = page.render(replace(results, models=[replace(model, model=broken), results.models[1]]))
    assert html.count("the encoder gave values that are not finite") == 3
    assert html.count("<audio") == 6 + 6 + 4


# The file


def test_write_replaces_the_file_and_leaves_nothing_beside_it(tmp_path, results):
    path = tmp_path / "report.html"
    path.write_text("old")
    small = replace(results, models=results.models[:1])
    assert reports.write(small, str(path)) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]
    assert reports.write(small, tmp_path / "new" / "report.html").exists()


def test_no_models_is_an_error(results, tmp_path):
    with pytest.raises(ValueError, match=r"results\.models"):
        reports.write(replace(results, models=[]), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_parts_that_do_not_fit_are_named(results, tmp_path):
    path, model = tmp_path / "report.html", results.models[0]
    for changed, message in [
        (replace(model, protocol="sounds"), "did you mean 'sound'"),
        (replace(model, mutual_information=np.zeros((2, 4))), r"mutual_information of 'β-VAE'"),
        (replace(model, mutual_information=np.zeros((3, 5))), "4 codes, got 5"),
    ]:
        with pytest.raises(ValueError, match=message):
            reports.write(replace(results, models=[changed]), path)
    with pytest.raises(ValueError, match="one model a title"):
        reports.write(replace(results, models=[model, model]), path)


def test_unwritable_paths_are_named_before_the_work(tmp_path, results, monkeypatch):
    monkeypatch.setattr(page, "render", lambda results: pytest.fail("rendered in vain"))
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path, tmp_path / "file" / "report.html"):
        with pytest.raises(OSError, match=re.escape(json.dumps(str(path))[1:-1])):
            reports.write(results, path)


def test_a_failed_write_names_the_path_and_cleans_up(tmp_path, results, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr(page, "render", lambda results: "x")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match=r"No space left.*report\.html"):
        reports.write(results, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
