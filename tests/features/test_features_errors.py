"""Features name the argument that is wrong, what it got and what it takes."""

import numpy as np
import pytest

from fastdis.features import (
    db_to_power,
    griffinlim,
    istft,
    mel_filters,
    mel_to_audio,
    melspectrogram,
    power_to_db,
    stft,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:n_fft=.* is too large"),
    pytest.mark.filterwarnings("ignore:.*mel filters hold no"),
    pytest.mark.filterwarnings("ignore:Empty filters detected"),
]


Y = np.sin(np.arange(1000) / 5).astype(np.float32)


BAD = np.where(np.arange(1000) == 7, np.nan, Y)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: stft(BAD), ValueError, r"y takes finite values, got nan at index \(0, 7\)"),
        (lambda: stft(np.stack([Y, BAD - np.inf])), ValueError, "y takes finite"),
        (lambda: stft(Y * 1e20), ValueError, "y takes audio up to 1e"),
        (lambda: stft(np.zeros((2, 2, 9))), ValueError, r"y takes 1 or 2 dimension.*\(2, 2, 9\)"),
        (lambda: stft(np.zeros(9, np.int16)), TypeError, "y takes floating-point.*int16"),
        (lambda: stft(Y + 1j), TypeError, "y takes real numbers"),
        (lambda: stft("noise.wav"), TypeError, "y takes real numbers"),
        (lambda: stft(np.zeros((3, 0))), ValueError, "y takes at least one sample"),
        (lambda: stft(Y, center=False), ValueError, "n_fft takes.*1000 samples.*2048"),
        (lambda: stft(Y[:256], n_fft=512, pad_mode="reflect"), ValueError, "at least 257.*256"),
        (lambda: stft(Y[:255], n_fft=512, pad_mode="symmetric"), ValueError, "at least 256"),
        (lambda: stft(Y, pad_mode="constatn"), ValueError, "pad_mode.*did you mean 'constant'"),
        (lambda: stft(Y, n_fft=1), ValueError, "n_fft takes an integer >= 2"),
        (lambda: stft(Y, n_fft=512.0), TypeError, "n_fft"),
        (lambda: stft(Y, hop_length=0), ValueError, "hop_length takes an integer >= 1"),
        (lambda: stft(Y, n_fft=64, win_length=65), ValueError, "win_length.*<= 64"),
        (lambda: stft(Y, center="yes"), TypeError, "center takes True or False"),
        (lambda: stft(Y, window="hamm1ng"), ValueError, "window takes.*'hamm1ng'"),
        (lambda: stft(Y, n_fft=64, window=np.ones(63)), ValueError, "win_length = 64 values"),
        (lambda: stft(Y, n_fft=64, window=np.zeros(64)), ValueError, "window.*1e-06 to.*got 0"),
        (lambda: stft(Y, n_fft=64, window=np.full(64, 1e39)), ValueError, "window.*got 1e.39"),
        (lambda: stft(Y, n_fft=64, window=("kaiser", 1e4)), ValueError, "window takes finite"),
        (lambda: stft(Y, window=("kaiser", [8.0])), TypeError, "window takes a name or a tuple"),
        (lambda: stft(Y, hop_length=2**70), ValueError, "hop_length takes.*<= 16777216"),
        (lambda: stft([[0.0], [0.0, 1.0]]), ValueError, "y takes a regular array"),
        (lambda: stft(Y, n_fft=64, window=np.full(64, np.nan)), ValueError, "window takes finite"),
        (lambda: melspectrogram(sr=8000), ValueError, "either y or S, got none"),
        (lambda: melspectrogram(Y, S=np.ones((5, 2))), ValueError, "either y or S, got both"),
        (lambda: melspectrogram(S=-np.ones((5, 2))), ValueError, "S takes values >= 0"),
        (lambda: melspectrogram(Y, power=0), ValueError, "power takes a number > 0"),
        (lambda: melspectrogram(Y, power=40), ValueError, "y takes.*float32 holds.*power=40"),
        (lambda: melspectrogram(S=np.ones((5, 2)), n_fft="a"), TypeError, "n_fft takes"),
        (lambda: melspectrogram(S=np.ones((1, 2))), ValueError, "S takes at least 2 frequencies"),
        (lambda: melspectrogram(S=[[1.0], [1.0, 2.0]]), ValueError, "S takes a regular array"),
        (
            lambda: mel_filters(sr=8000, n_fft=64, fmin=999.9999999999, fmax=1000, n_mels=9999),
            ValueError,
            "n_mels takes a number of filters whose corners differ",
        ),
        (lambda: melspectrogram(Y, sr=-1), ValueError, "sr takes"),
        (lambda: mel_filters(sr=8000, n_fft=64, n_mels=0), ValueError, "n_mels"),
        (lambda: mel_filters(sr=8000, n_fft=64, fmax=4001), ValueError, "fmax.*<= 4000"),
        (lambda: mel_filters(sr=8000, n_fft=64, fmin=4000), ValueError, "fmin takes less than"),
        (lambda: mel_filters(sr=8000, n_fft=64, fmin=-1), ValueError, "fmin"),
        (lambda: mel_filters(sr=8000, n_fft=64, norm="area"), ValueError, "norm takes"),
        (lambda: mel_filters(sr=8000, n_fft=64, norm=0), ValueError, "norm takes"),
        (lambda: mel_filters(sr=8000, n_fft=64, htk=1), TypeError, "htk takes"),
        (lambda: power_to_db([[1.0, -1e-3]]), ValueError, "S takes values >= 0, got -0.001"),
        (lambda: power_to_db([[1.0, np.nan]]), ValueError, "S takes finite"),
        (lambda: power_to_db([1.0], amin=0), ValueError, "amin"),
        (lambda: power_to_db([1.0], top_db=-1), ValueError, "top_db"),
        (lambda: power_to_db([1.0], ref=-1.0), ValueError, "ref takes"),
        (lambda: power_to_db([1.0], ref=lambda s: np.nan), ValueError, r"ref\(S\) takes a finite"),
        (lambda: db_to_power([400.0]), ValueError, "S_db takes.*400"),
        (lambda: istft(np.ones(5)), ValueError, "stft_matrix takes 2 or 3"),
        (lambda: istft(np.full((5, 2), np.inf)), ValueError, "stft_matrix takes finite"),
        (lambda: istft(np.ones((5, 9)), n_fft=10), ValueError, "n_fft takes.*the 5 of stft_matr"),
        (lambda: istft(np.ones((5, 0))), ValueError, "stft_matrix takes enough frames"),
        (lambda: istft(np.ones((5, 1))), ValueError, "stft_matrix takes enough frames"),
        (lambda: istft(np.ones((5, 9)), length=0), ValueError, "length"),
        (lambda: istft(np.ones((5, 9)), hop_length=2**62), ValueError, "hop_length takes"),
        (lambda: istft(np.full((5, 9), 3e38)), ValueError, r"stft_matrix takes.*1e\+30, got 3e"),
        (lambda: istft([[1j], [1j, 2j]]), ValueError, "stft_matrix takes a regular array"),
        (lambda: griffinlim(np.ones((5, 9)), length=99), ValueError, "length takes a clip of 9"),
        (lambda: griffinlim(np.ones((5, 9)), n_iter=-1), ValueError, "n_iter"),
        (lambda: griffinlim(np.ones((5, 9)), momentum=1.5), ValueError, "momentum"),
        (lambda: griffinlim(np.ones((5, 9)), init="zero"), ValueError, "init takes"),
        (lambda: griffinlim(np.ones((5, 9)), random_state="7"), TypeError, "random_state"),
        (lambda: griffinlim(np.ones((5, 9)) * 1j), TypeError, "S takes real"),
        (lambda: mel_to_audio(-np.ones((5, 9))), ValueError, "M takes values >= 0"),
        (lambda: mel_to_audio(np.ones((5, 9)), power=-2), ValueError, "power"),
        (lambda: mel_to_audio(np.full((5, 9), 3e38)), ValueError, r"M takes values up to 1e\+30"),
        (lambda: mel_to_audio(np.full((5, 9), 1e5), power=0.1), ValueError, "M takes.*power=0.1"),
    ],
)
def test_mistakes_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()
