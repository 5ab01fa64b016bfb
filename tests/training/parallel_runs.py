"""Runs that several processes take together: ``torchrun -m tests.training.parallel_runs FOLDER``.

Each process leaves beside the run folders what it came to, and which clips it asked for.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import distributed

from fastdis import train
from fastdis.objectives import Reduction, total_correlation
from tests.forks import telling
from tests.training.training_data import Noted, config, losses, parts, small_discriminator, weights

# Of 36 training clips: batches whose last one is odd, small, or has nothing for some process.
CASES = {
    "vae": ("vae", {"batch_size": 7}),  # the last of one clip
    "beta_tcvae": ("beta_tcvae", {"batch_size": 17}),  # the last of two
    "factor_vae": ("factor_vae", {"batch_size": 31}),  # an odd clip in neither half; the last of 5
    "halves": ("factor_vae", {"batch_size": 10}),  # of 5 and of 3
    "dip_vae_ii": ("dip_vae_ii", {"batch_size": 14, "validation": 0.0}),  # of 45; the last of 3
    "info_vae": ("info_vae", {"batch_size": 11}),  # the last of 3
    "ada_gvae": ("ada_gvae", {"batch_size": 10}),  # 5 pairs, each in both processes
}


def how(case, folder=None, **options):
    """A case's TrainConfig."""
    schedule = {"schedule": "cosine", "warmup_steps": 2}
    return config(folder, **{**CASES[case][1], **schedule, **options})


def run(case, folder=None, *, stop=None, model_seed=0, **options):
    """One of the cases; the result, and what it asked of its data set."""
    dataset = Noted(stop=stop)
    both = parts(CASES[case][0], model_seed)
    return train(*both, dataset, how(case, folder, **options)), dataset.asked


def leave(folder, case, rank, told, outcome):
    """What a process came to, for a test to read."""
    result, asked = outcome
    save_file(weights(result), Path(folder) / f"{case}-{rank}.safetensors")
    told |= {"losses": losses(result), "asked": [rows.tolist() for rows in asked]}
    told["whole"] = type(result.objective.reduction) is Reduction


def member(rank, size, meeting, folder, case, options):
    """One of ``size`` processes, which meet at a file, and whose group is the caller's."""
    with telling(Path(meeting) / f"{case}-{rank}.json") as told:
        total_correlation.Discriminator = small_discriminator
        distributed.init_process_group(
            "gloo", init_method=f"file://{meeting}/place", rank=rank, world_size=size
        )
        try:
            leave(meeting, case, rank, told, run(case, folder, **options))
        finally:
            distributed.destroy_process_group()


def _tell_of_a_group_that_was_not_left():
    if distributed.is_initialized():
        print("the group was not left", file=sys.stderr)


if __name__ == "__main__":
    atexit.register(_tell_of_a_group_that_was_not_left)  # after what is registered later
    torch.set_num_threads(1)
    total_correlation.Discriminator = small_discriminator
    for each in CASES:
        with telling(Path(sys.argv[1]) / f"{each}-{os.environ['RANK']}.json") as note:
            outcome = run(each, Path(sys.argv[1]) / each)
            leave(sys.argv[1], each, os.environ["RANK"], note, outcome)
