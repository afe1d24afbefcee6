"""Settings of question 2.2; `args.n_steps` and `args["n_steps"]` are the same."""

import os

import torch  # noqa: F401  (`from cfg_utils.args import *` gives its user torch, os and EasyDict as well)
from easydict import EasyDict
from lab.device import choose_device

args = EasyDict(
    # images
    image_channels=1,
    image_size=32,
    # diffusion
    n_steps=1000,
    # sampling: how many images; nb_save = None draws without saving pictures; strength of the guidance
    n_samples=16,
    nb_save=5,
    cfg_scale=0.3,
    # training; half precision pays on an NVIDIA GPU only
    device=choose_device(),
    fp16_precision=choose_device() == "cuda",
    batch_size=256,
    learning_rate=2e-4,
    epochs=16,
    show_every_n_epochs=2,
    save_every_n_epochs=2,
    # where the checkpoint goes
    MODEL_PATH=os.path.join(os.getcwd(), "eps_model_cfg.pkl"),
)
