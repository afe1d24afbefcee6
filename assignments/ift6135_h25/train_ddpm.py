"""Question 2.1.3: train the DDPM on MNIST.

    python train_ddpm.py                                    20 epochs, the run for the report
    python train_ddpm.py --limit 2560 --epochs 1            a quick try
    python train_ddpm.py --resume                           goes on from the last checkpoint

Writes the checkpoint `eps_model.pkl`, the loss as `eps_model_loss.csv` and `.png`, and samples to `images/`.
"""

import matplotlib
import torch
from ddpm_utils.args import args
from ddpm_utils.dataset import MNISTDataset
from ddpm_utils.unet import UNet
from lab.data import Batches
from lab.options import read_options
from q2_ddpm import DenoiseDiffusion
from q2_trainer_ddpm import Trainer

if __name__ == "__main__":
    options = read_options("Train the DDPM of question 2.1 on MNIST.", args)
    matplotlib.use("Agg")  # figures go to files; a window would stop the training
    torch.manual_seed(options.seed)

    dataset = MNISTDataset(options.data_root, options.limit)
    dataloader = Batches(dataset.images, batch_size=args.batch_size, device=args.device, shuffle=True, drop_last=True)
    eps_model = UNet(c_in=args.image_channels, c_out=args.image_channels)
    diffusion = DenoiseDiffusion(eps_model=eps_model, n_steps=args.n_steps, device=args.device)
    trainer = Trainer(args, eps_model, diffusion)
    if options.resume:
        trainer.load_model()
    trainer.train(dataloader)
