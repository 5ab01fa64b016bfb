"""What a data loader's workers read: features, factors and counts, made as they are asked for."""

from __future__ import annotations

import torch

from fastdis import metrics
from fastdis.datasets import SynTone
from fastdis.features import melspectrogram


class Batches(torch.utils.data.Dataset):
    """Four batches of SynTone, with a mel spectrogram and a joint histogram of each."""

    def __init__(self) -> None:
        self.tones = SynTone("sound", num_freqs=8, num_amps=4)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> tuple[torch.Tensor, ...]:
        if not 0 <= i < len(self):
            raise IndexError(i)
        rows = range(32 * i, 32 * i + 32)
        features, factors = self.tones.batch(rows)
        mel = melspectrogram(self.tones.audio(rows), sr=16000, n_fft=400, n_mels=20)
        codes = features.reshape(len(features), -1)[:, ::997]
        counts = metrics.joint_histogram(factors, codes, discrete=True).table
        return tuple(map(torch.from_numpy, (features, factors, mel, counts)))
