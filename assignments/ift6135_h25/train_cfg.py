"""Question 2.2: train the diffusion model with classifier-free guidance on MNIST.

    python train_cfg.py                                     16 epochs, the run for the report
    python train_cfg.py --limit 2560 --epochs 1             a quick try
    python train_cfg.py --resume                            goes on from the last checkpoint

Writes the checkpoint `eps_model_cfg.pkl`, the loss as `eps_model_cfg_loss.csv` and `.png`, and samples to `images/`.
"""

import matplotlib
import torch
from cfg_utils.args import args
from cfg_utils.dataset import MNISTDataset
from cfg_utils.unet import UNet_conditional
from lab.data import Batches
from lab.options import read_options
from q3_cfg_diffusion import CFGDiffusion
from q3_trainer_cfg import Trainer

if __name__ == "__main__":
    options = read_options("Train the guided diffusion model of question 2.2 on MNIST.", args)
    matplotlib.use("Agg")  # figures go to files; a window would stop the training
    torch.manual_seed(options.seed)

    dataset = MNISTDataset(options.data_root, options.limit)
    dataloader = Batches(
        dataset.images, dataset.labels, batch_size=args.batch_size, device=args.device, shuffle=True, drop_last=True
    )
    eps_model = UNet_conditional(c_in=args.image_channels, c_out=args.image_channels, num_classes=10)
    diffusion = CFGDiffusion(eps_model=eps_model, n_steps=args.n_steps, device=args.device)
    trainer = Trainer(args, eps_model, diffusion)
    if options.resume:
        trainer.load_model()
    trainer.train(dataloader)
