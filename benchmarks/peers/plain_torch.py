"""What the training rows run against: SynTone's reference model, loss and loop in plain PyTorch.

Three layers of convolution, leaky ReLU and max-pooling, as the reference code has them, the squared
error summed over a batch + beta KL averaged over it, Adam, and ``loss.item()`` at every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, TensorDataset

from benchmarks.peers.synthesis import scipy_loop
from fastdis._bench.rows.synthesis import RATE, columns_of, spread_over
from fastdis._bench.rows.training import BATCH, BETA, LATENT
from fastdis.datasets import SynTone

LEARNING_RATE = 1e-3
_SLOPE = 0.01

Loader = Iterable[tuple[Tensor, Tensor]]


class ReferenceVAE(nn.Module):
    """The model for features ``(B, 1, 128, 32)``; its weights come in fastdis's order."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 16 * 4, 128), nn.LeakyReLU(_SLOPE),
            nn.Linear(128, 64), nn.LeakyReLU(_SLOPE),
        )  # fmt: skip
        self.mean = nn.Linear(64, LATENT)
        self.logvar = nn.Linear(64, LATENT)
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, 64), nn.LeakyReLU(_SLOPE),
            nn.Linear(64, 128), nn.LeakyReLU(_SLOPE),
            nn.Linear(128, 64 * 16 * 4), nn.LeakyReLU(_SLOPE),
            nn.Unflatten(1, (64, 16, 4)),
            _up(64, 32), nn.LeakyReLU(_SLOPE),
            _up(32, 16), nn.LeakyReLU(_SLOPE),
            _up(16, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction, mean and log-variance."""
        hidden = self.encoder(x)
        mean, logvar = self.mean(hidden), self.logvar(hidden)
        std = torch.exp(0.5 * logvar)
        z = mean + std * (torch.randn_like(std) if noise is None else noise)
        return self.decoder(z), mean, logvar


def _up(n_in: int, n_out: int) -> nn.Module:
    return nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1)


class Reference:
    """A model that begins with the weights of ``like``, its optimizer, and its loop."""

    def __init__(
        self, like: nn.Module, device: str = "cpu", *, channels_last: bool = False
    ) -> None:
        self.model = ReferenceVAE().to(device)
        if channels_last:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.no_grad():
            for mine, theirs in zip(self.model.parameters(), like.parameters(), strict=True):
                mine.copy_(theirs)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)

    def step(self, x: Tensor, noise: Tensor | None = None) -> float:
        """The loss of a batch before the update."""
        self.optimizer.zero_grad()
        x_hat, mean, logvar = self.model(x, noise)
        squares = functional.mse_loss(x_hat, x, reduction="sum")
        kl = -0.5 * torch.mean(torch.sum(1 + logvar - mean.pow(2) - logvar.exp(), dim=1))
        loss = squares + BETA * kl
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.item()

    def epoch(self, loader: Loader) -> float:
        """The mean of the batches' losses."""
        self.model.train()
        losses = [self.step(x) for x, _ in loader]
        return sum(losses) / len(losses)


def of_features(features: NDArray[np.float32], labels: NDArray[np.float64]) -> Loader:
    """Batches of features that are in memory."""
    dataset = TensorDataset(torch.from_numpy(features), torch.from_numpy(labels))
    return DataLoader(dataset, batch_size=BATCH, shuffle=True)


class OfTensor:
    """Batches of features that are on a device, in an order drawn there."""

    def __init__(self, features: Tensor) -> None:
        self.features = features

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.features), device=self.features.device)
        for rows in torch.split(order, BATCH):
            yield self.features[rows], rows


class _Published(Dataset[tuple[Tensor, Tensor]]):
    """A clip at a time, as published: the generator, librosa's mel, each column by its maximum."""

    def __init__(self, dataset: SynTone, clips: int) -> None:
        rows = spread_over(clips, len(dataset))
        self.columns = columns_of(dataset, rows)
        self.labels = torch.from_numpy(dataset.table(rows).values)
        self.time = np.linspace(0, 1, RATE)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        import librosa

        shape, frequency, amplitude = (column[i : i + 1] for column in self.columns)
        clip = scipy_loop((shape, frequency, amplitude), self.time, np.float64)[0]
        mel = librosa.util.normalize(librosa.feature.melspectrogram(y=clip, sr=RATE))
        return torch.from_numpy(mel.astype(np.float32))[None], self.labels[i]


def of_clips(dataset: SynTone, clips: int) -> Loader:
    """Batches of so many clips of a set, whose features are computed again in every epoch."""
    return DataLoader(_Published(dataset, clips), batch_size=BATCH, shuffle=True)
