"""SynTone: four waveforms x amplitudes x frequencies, as published and corrected.

Brima, Krumnack, Pika and Heidemann, "Learning Disentangled Audio Representations through
Controlled Synthesis" (2024), and its reference code, which differs from the paper's text.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation
from fastdis.datasets.registry import register
from fastdis.datasets.representations import RepresentedDataset, syntone_features
from fastdis.factors import Factor, FactorSpace, FactorTable
from fastdis.synthesis import SHAPES, oscillator

if TYPE_CHECKING:
    from torch import Tensor

# The third harmonic, by which a square differs from a triangle, must stay below Nyquist, and so
# must the whole of its filter: 3 x 0.15 = 0.45 of the sample rate.
IDENTIFIABLE = 0.15
# A band-limited jump overshoots its amplitude by 17.9% (Gibbs) and has to stay within [-1, 1].
LOUDEST = 0.84
# Bytes of sound rendered at once: on a CPU to stay near its caches, on a GPU to fill it.
_PIECE = {"cpu": 2**22, "cuda": 2**26}
# Share of the power that a clip's amplitude can reach, below which a column may be rounding.
_NOISE = 1e-8


@register("SynTone")
class SynTone(RepresentedDataset):
    """Tones that differ in frequency, amplitude and waveform.

    Row order is frequency, amplitude, waveform, the waveform fastest.

    Parameters
    ----------
    variant
        ``"published"`` repeats the reference code to the letter: the time axis
        ``linspace(0, duration, T)``, on which every tone is sharp by 1/(T-1); waveforms that are
        not band-limited; a power mel spectrogram with each *column divided by its maximum*, which
        erases amplitude. ``"corrected"`` corrects this: true time axis, band-limited waveforms, by
        default only up to frequencies at which they differ, and log-mel features with one scale
        for the whole set.
    sample_rate
        In Hz.
    freq_start, freq_end, num_freqs
        Frequencies, ``linspace`` in Hz. ``freq_end`` is by default ``sample_rate / 2`` as
        published, and ``0.15 * sample_rate`` for ``"corrected"``.
    amp_start, amp_end, num_amps
        Amplitudes, ``linspace``. ``amp_end`` is by default 1 as published, and 0.8 for
        ``"corrected"``: a band-limited jump overshoots by 18% and has to stay within [-1, 1].
    duration
        In seconds.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range: a frequency below 0 or above Nyquist, an amplitude that is
        not finite or outside [0, 1] (``"corrected"``: [0, 0.84]), an empty grid, start above end.

    Examples
    --------
    >>> data = SynTone("corrected", num_freqs=5, num_amps=4)
    >>> len(data), data.space.names
    (80, ('frequency', 'amplitude', 'waveform'))
    >>> features, factors = data.batch([0, 1, 2])
    >>> features.shape, factors.shape
    ((3, 1, 128, 32), (3, 3))
    """

    def __init__(
        self,
        variant: str = "published",
        *,
        sample_rate: int = 16000,
        freq_start: float = 440.0,
        freq_end: float | None = None,
        num_freqs: int = 400,
        amp_start: float = 0.1,
        amp_end: float | None = None,
        num_amps: int = 20,
        duration: float = 1.0,
    ) -> None:
        sample_rate = _validation.integer("sample_rate", sample_rate)
        self.duration = _validation.number("duration", duration, above=0.0)
        self.variant = _validation.protocol("variant", variant)
        self.samples = round(sample_rate * self.duration)
        self._mel = syntone_features(self.variant, sample_rate, self.samples)
        super().__init__(self._mel, sample_rate)
        corrected = self.variant == "sound"
        if freq_end is None:
            freq_end = sample_rate * IDENTIFIABLE if corrected else sample_rate / 2
        if amp_end is None:
            amp_end = 0.8 if corrected else 1.0
        nyquist = sample_rate / 2
        frequencies = _levels(
            "freq", freq_start, freq_end, num_freqs, nyquist, "half the sample rate"
        )
        loudest, why = (LOUDEST, "a jump overshoots by 18%") if corrected else (1.0, "full scale")
        amplitudes = _levels("amp", amp_start, amp_end, num_amps, loudest, why)
        if corrected and frequencies[-1] > sample_rate / 6:
            warnings.warn(
                f"freq_end {frequencies[-1]:g} Hz is above sample_rate / 6: the third harmonic is "
                "above Nyquist there, so a band-limited square and triangle are both sines",
                stacklevel=2,
            )
        self.space = FactorSpace(
            [
                Factor("frequency", frequencies, unit="Hz"),
                Factor("amplitude", amplitudes),
                Factor("waveform", np.arange(float(len(SHAPES))), "categorical", labels=SHAPES),
            ]
        )

    @property
    def full_scale(self) -> float:
        """The mel power that the corrected features scale to 1."""
        return self._mel.full_scale

    def audio(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The sound of the clips at ``indices``, ``(B, T)`` in [-1, 1]."""
        return self._render(self.table(indices), band_limited=self.variant == "sound")

    def alias_free_features(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The features of the same clips rendered from the harmonics below Nyquist alone."""
        return self.features_of(self._render(self.table(indices), band_limited=True))

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` makes the same set again."""
        frequencies, amplitudes = (factor.values for factor in self.space.factors[:2])
        return {
            "name": "SynTone", "variant": self.variant, "sample_rate": self.sample_rate,
            "freq_start": float(frequencies[0]), "freq_end": float(frequencies[-1]),
            "num_freqs": len(frequencies), "amp_start": float(amplitudes[0]),
            "amp_end": float(amplitudes[-1]), "num_amps": len(amplitudes),
            "duration": self.duration,
        }  # fmt: skip

    def _time(self) -> dict[str, Any]:
        axis = "linspace" if self.variant == "published" else "sample"
        return {"sample_rate": self.sample_rate, "duration": self.duration, "time_axis": axis}

    def _render(self, table: FactorTable, band_limited: bool) -> NDArray[np.float32]:
        audio = oscillator(
            table.levels[:, 2], table["frequency"], table["amplitude"],
            band_limited=band_limited, **self._time(),
        )  # fmt: skip
        # Float32 may round a full-scale sample to 1 + 1e-7, which a file format would clip.
        return audio if band_limited else np.clip(audio, -1.0, 1.0, out=audio)

    def _fill(self, tensor: Tensor) -> None:
        if type(self) is not SynTone:  # a subclass may change sound or features
            super()._fill(tensor)
            return
        from fastdis import nn

        render = nn.Oscillator(band_limited=self.variant == "sound", **self._time())
        render = render.to(tensor.device)
        analyse = nn.MelSpectrogram(**self._mel.settings).to(tensor.device)
        step = max(1, _PIECE[tensor.device.type] // (4 * self.samples))
        for start in range(0, len(self), step):
            rows = np.arange(start, min(start + step, len(self)))
            table = self.table(rows)
            mel = analyse(render(table.levels[:, 2], table["frequency"], table["amplitude"]))
            tensor[start : start + step] = self._mel.of_tensor(mel)
            if self.variant == "published":
                self._replace_rounding(tensor, mel, rows)

    def _replace_rounding(self, tensor: Tensor, mel: Tensor, rows: NDArray[np.int64]) -> None:
        """Copy from the kernels the clips whose published features may be amplified rounding.

        A sine at 0 Hz or at the Nyquist limit is zero at every sample up to rounding, and each
        column is divided by its maximum.
        """
        least = mel.amax(dim=1).amin(dim=1).cpu().numpy()
        noise = _NOISE * self._mel.full_scale * self.table(rows)["amplitude"] ** 2
        weak = rows[least < noise]
        if len(weak):
            tensor[weak] = tensor.new_tensor(self.features(weak))


def _levels(
    name: str, start: float, end: float, num: int, maximum: float, why: str
) -> NDArray[np.float64]:
    """``linspace`` within [0, maximum]; an error names the end that is out of range."""
    end_name = f"{name}_end"
    high = _validation.number(end_name, end, minimum=0.0)
    low = _validation.number(f"{name}_start", start, minimum=0.0)
    if high > maximum:
        raise ValueError(f"{end_name} takes at most {maximum:g} ({why}), got {high:g}")
    count = _validation.integer(f"num_{name}s", num)
    if low > high or (low == high and count > 1):
        raise ValueError(f"{end_name} takes a number above {name}_start = {low:g}, got {high:g}")
    return np.linspace(low, high, count)
