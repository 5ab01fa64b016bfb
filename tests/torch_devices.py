"""Arrays as tensors on a device."""

import numpy as np
import torch


def on(device, *arrays):
    """Tensors of the arrays on the device."""
    return [torch.from_numpy(np.asarray(array)).to(device) for array in arrays]
