"""Settings of question 2.1; `args.n_steps` and `args["n_steps"]` are the same."""

from easydict import EasyDict
from lab.device import choose_device

args = EasyDict(
    # images
    image_channels=1,
    image_size=32,
    # diffusion
    n_steps=1000,
    # sampling: how many images; nb_save = None draws without saving pictures
    n_samples=16,
    nb_save=5,
    # training; half precision pays on an NVIDIA GPU only
    device=choose_device(),
    fp16_precision=choose_device() == "cuda",
    batch_size=256,
    learning_rate=2e-4,
    epochs=20,
    show_every_n_epochs=2,
    save_every_n_epochs=2,
    # where the checkpoint goes; relative to the folder in which Python runs
    MODEL_PATH="eps_model.pkl",
)
