"""Pictures and sounds as data URIs, so that a page is a single file.

PNG and GIF by Pillow, WAV (16-bit mono) by the standard library.
"""

from __future__ import annotations

import base64
import io
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def png_uri(image: Image) -> str:
    """A Pillow image as a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return _uri("image/png", buffer.getvalue())


def figure_uri(figure: Figure, colors: int = 64) -> str:
    """A matplotlib figure, drawn by Agg, as a PNG with a palette: a third of the size of RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    image = Image.fromarray(pixels[..., :3])
    return png_uri(image.quantize(colors, dither=Image.Dither.NONE))


def gif_uri(frames: list[Image], milliseconds: int) -> str:
    """Frames as a GIF that loops."""
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0
    )
    return _uri("image/gif", buffer.getvalue())


def wav_uri(audio: NDArray[np.floating[Any]], sample_rate: int) -> str:
    """Mono audio ``(T,)`` in [-1, 1] as 16-bit WAV; samples outside are clipped."""
    samples = np.rint(np.clip(audio, -1.0, 1.0) * 32767.0).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(int(sample_rate))
        file.writeframes(samples.tobytes())
    return _uri("audio/wav", buffer.getvalue())


def in_steps(
    clips: NDArray[np.floating[Any]], sample_rate: int, seconds: float, fade: float = 0.008
) -> NDArray[np.float32]:
    """The middle of each clip ``(S, T)``, one after another ``(S * n,)``, each faded in and out.

    ``n`` is ``seconds`` long, or the whole clip where that is shorter.

    >>> in_steps(np.ones((3, 1000)), sample_rate=1000, seconds=0.2).shape
    (600,)
    """
    length = min(clips.shape[1], max(1, round(seconds * sample_rate)))
    start = (clips.shape[1] - length) // 2
    middle = np.array(clips[:, start : start + length], dtype=np.float32)
    ramp_length = min(round(fade * sample_rate), length // 2)
    # Half a raised cosine: continuous in value and slope, hence no click.
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(ramp_length) / max(1, ramp_length))).astype("f4")
    middle[:, :ramp_length] *= ramp
    middle[:, length - ramp_length :] *= ramp[::-1]
    return middle.ravel()
