"""Stand-ins for the tests of reports: a dataset of tones, a model without training, results."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from fastdis.factors import Factor, FactorSpace
from fastdis.metrics import Score, Scores
from fastdis.reports import Answer, Figure, Table, data_uris
from fastdis.reports.results import ModelResult, Results


class Tones:
    """Tones of a frequency, amplitude and waveform; bands of their spectrum as features."""

    def __init__(self, bands=16, frames=8, sample_rate=2000, duration=0.25, level=1.0, factors=3):
        self.feature_shape = (1, bands, frames)
        self.sample_rate, self.samples, self.level = sample_rate, int(sample_rate * duration), level
        varied = [
            Factor("frequency", sample_rate * (0.03 + 0.42 * np.arange(20) / 20), unit="Hz"),
            Factor("amplitude", 0.1 + 0.9 * np.arange(10) / 9),
            Factor("waveform", [0.0, 1.0], "categorical", labels=("sine", "square")),
        ]
        self.space = FactorSpace(varied[:factors])

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


class Waves(Tones):
    """The same tones, as a model of waveforms sees them: features of one row."""

    def __init__(self, **options):
        super().__init__(**options)
        self.feature_shape = (1, 1, self.samples)

    def batch(self, indices):
        k = len(self.space.names)
        return self.audio(indices)[:, None, None], self.values(indices)[:, :k]

    def to_audio(self, features):
        return np.asarray(features)[:, 0, 0]


class Squares:
    """Images of a bright square at one of ten places; there is no sound to ask for."""

    sample_rate = 0
    feature_shape = (1, 12, 12)
    space = FactorSpace([Factor("place", np.arange(10.0), "categorical")])

    def __len__(self):
        return 40

    def batch(self, indices):
        place = np.asarray(indices) % 10
        features = np.zeros((len(place), 1, 12, 12), np.float32)
        for i, at in enumerate(place):
            features[i, 0, at : at + 2, at : at + 2] = 1.0  # the first at the top left
        return features, place[:, None].astype(np.float64)

    def describe(self, index):
        return f"a square at {index % 10}"


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


def fake_panel(names, information, seed=0):
    """Some scores of each group, in every shape they come in."""
    rng = np.random.default_rng(seed)

    def score(matrix=None, parts=True):
        per_factor = {name: float(x) for name, x in zip(names, rng.random(len(names)), strict=True)}
        return Score(float(rng.random()), per_factor if parts else {}, matrix=matrix)

    shares = information / information.sum(axis=1, keepdims=True)
    details = {
        "mig": score(information),
        "modularity": score(parts=False),
        "dci_disentanglement": score(shares, parts=False),
        "dcimig": score(),
        "probe": score(),
        "gaussian_total_correlation": score(parts=False),
        "active_units": Score(float(information.shape[1])),
    }
    ends = {name: (details[name].value - 0.05, details[name].value + 0.04) for name in ("mig",)}
    return Scores(
        details, "standard", 20, "20 equal-width bins", "plugin", 400, tuple(names),
        tuple(range(information.shape[1])), information,
        np.ones(information.shape[1], bool), (f"{names[0]!r} is left out",), ends, 0.9,
    )  # fmt: skip


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
        name, TITLES[name], protocol, model, dataset, history, scores, information,
        fake_panel(names, information, seed),
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


def without_pictures(results):
    """The same with models and histories that nothing can be drawn of, for pages at no cost."""
    broken = Bump(results.models[0].dataset.feature_shape)
    torch.nn.init.constant_(broken.mix, float("nan"))
    models = [replace(model, model=broken, history=[]) for model in results.models]
    return replace(results, models=models)


def figure_of(caption):
    """A figure of an answer: black on white."""
    uri = data_uris.png_uri(Image.new("L", (4, 4), 255))
    return Figure(caption, uri, f"Seen: {caption}")


def fake_study(dataset=None, **model):
    """Answers, a table of every model, and models of groups that share a title."""
    groups = ("clean", "noise, decay")
    results = fake_results(["vae"], groups, dataset, **model)
    compared = Table(
        "Networks", ["network", "error", "score", "beta", "found"],
        [
            ["MLP", 0.25, 0.5, 4.0, True], ["CNN", 0.125, np.nan, 1, "half"],
            ["RNN", 2, 0.75, 8, None],
        ],
        "Means of three.", {"error": "low", "score": "high"},
    )  # fmt: skip
    return replace(
        results,
        models=[replace(each, scores={}, title="CNN") for each in results.models],
        audits={"cqt": fake_audit(results.models[0].dataset.space.names)},
        reference_table={}, reference_name="", explanation=[],
        answers=[
            Answer("Is it so?", "It is.", ["Because."], [compared], [figure_of("errors")]),
            Answer("And this?", "It is not."),
        ],
        cells=Table("All of them", ["model", "error"], [[f"model {i}", i / 8] for i in range(100)]),
    )  # fmt: skip


def decoded(uri):
    head, data = uri.split(",", 1)
    return head, io.BytesIO(base64.b64decode(data))


def sources(html):
    return re.findall(r'(?:src|srcset)="([^"]*)"', html)


class Outline(HTMLParser):
    """Checks that tags nest, and keeps the tags with their attributes, and the ids."""

    VOID = frozenset({"meta", "img", "br", "source", "link", "input", "hr", "wbr"})

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
