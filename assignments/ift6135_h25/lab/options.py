"""The command line of the scripts that train diffusion models."""

import argparse
from typing import Any


def read_options(description: str, args: Any) -> argparse.Namespace:
    """Read the command line, and put what it says about the settings into `args`.

    Args:
        description: what the script does.
        args: the settings, with `epochs`, `batch_size`, `device` and `MODEL_PATH`; changed in place.

    Returns:
        What is not a setting: `data_root`, `limit`, `seed`, `resume`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--epochs", type=int, default=args.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=args.batch_size, help="default: %(default)s")
    parser.add_argument(
        "--device", default=args.device, choices=("cuda", "mps", "cpu"), help="default here: %(default)s"
    )
    parser.add_argument("--model-path", default=args.MODEL_PATH, help="checkpoint; default: %(default)s")
    parser.add_argument("--data-root", help="folder with mnist/train.npz; default: download")
    parser.add_argument("--limit", type=int, help="use only the first so many images")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    options = parser.parse_args()
    args.epochs, args.batch_size = options.epochs, options.batch_size
    args.device, args.MODEL_PATH = options.device, options.model_path
    args.fp16_precision = args.fp16_precision and options.device == "cuda"
    return options
