"""Run the benchmarks and print the README's speed table: ours, a peer, the ratio, the error."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# Row, our benchmark, the peer's benchmark (or its key in our extra_info), the peer's name
OSCILLATORS = (
    ("waveforms, naive", "test_naive[fastdis-2000]", "test_naive[scipy_loop-400]",
     "SciPy, a clip at a time"),
    ("waveforms, band-limited, from 440 Hz", "test_band_limited[fastdis-2000]",
     "test_band_limited[harmonic_sum-400]", "harmonics summed in NumPy"),
    ("waveforms, band-limited, 55 to 110 Hz", "test_band_limited_low[fastdis-2000]",
     "test_band_limited_low[harmonic_sum-40]", "harmonics summed in NumPy"),
)  # fmt: skip
FEATURES = (
    ("mel spectrogram", "test_melspectrogram", "torch", "torch.stft and a filter matrix"),
    ("mel spectrogram", "test_melspectrogram", "librosa", "librosa, a clip at a time"),
    ("STFT", "test_stft", "torch", "torch.stft"),
    ("Griffin-Lim, 32 iterations", "test_griffinlim", "librosa", "librosa, a clip at a time"),
)


def main():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "told.json"
        command = [sys.executable, "-m", "pytest", str(HERE), "-q", "--benchmark-enable"]
        command += [f"--benchmark-json={file}", "--benchmark-quiet"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        told = {b["name"]: b["extra_info"] for b in json.loads(file.read_text())["benchmarks"]}
    print("| one-second clips at 16 kHz | fastdis, clips/s | against | ratio | error, of peak |")
    print("|---|---|---|---|---|")
    for title, ours, peer, name in OSCILLATORS:
        rate = told[ours]["clips_per_second"]
        ratio = rate / told[peer]["clips_per_second"]
        print(f"| {title} | {rate:,.0f} | {name} | {ratio:.0f}x | {told[ours]['error']:.0e} |")
    for title, ours, peer, name in FEATURES:
        info = told[ours]
        ratio, rate = info[f"times_faster_than_{peer}"], info["fastdis_clips_per_s"]
        print(f"| {title} | {rate:,.0f} | {name} | {ratio:.0f}x | {info['error_of_peak']:.0e} |")
    ratio = told["test_joint_histogram"]["times_faster_than_numpy"]
    print(f"| joint histogram, 1e6 x 10 codes x 5 factors |  | np.histogram2d | {ratio:.0f}x | 0 |")


if __name__ == "__main__":
    main()
