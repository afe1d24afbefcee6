"""Questions 3.1 to 3.3: SimSiam, which learns a representation of images without labels and without negative pairs.

The method is that of Chen & He 2021, "Exploring Simple Siamese Representation Learning". Two views of each image, made
by random augmentations, go through the same encoder; a predictor has to find the output of one view from that of the
other. Notation:

    paper           here                      meaning
    x_1, x_2        x1, x2                    two views of the images, float (B, C, H, W)
    f               encoder                   backbone and projector
    h               predictor                 a small network behind the encoder
    z = f(x)        z1, z2                    outputs of the encoder, (B, dim)
    p = h(f(x))     p1, p2                    outputs of the predictor, (B, dim)
    D(p, z)         -CosineSimilarity()(p, z) negative cosine similarity
"""

import torch
from torch import Tensor, nn
from torch.nn import Module


class SimSiam(Module):
    """Encoder and predictor (section 3 of the paper; the layers are those of its "baseline settings").

    Attributes:
        encoder: f, the backbone; its last layer `fc` is the projector.
        predictor: h.
        stop_gradient: whether `forward` keeps gradients from z1 and z2.
        MLP_mode: kind of the predictor, see `__init__`.
    """

    def __init__(self, base_encoder, dim=2048, pred_dim=512, stop_gradient=True, MLP_mode=None):
        """Build the networks.

        Args:
            base_encoder: makes the backbone: base_encoder(num_classes=dim, zero_init_residual=True) returns a network
                with a linear layer `fc` at its end, such as torchvision's resnet18.
            dim: d, values of z and p.
            pred_dim: hidden units of the predictor.
            stop_gradient: whether z1 and z2 count as constants.
            MLP_mode: the predictor: None: trained; `fixed_random_init`: keeps its random weights; `no_pred_mlp`: the
                identity.

        Raises:
            ValueError: there is no such `MLP_mode`.
        """
        super().__init__()
        if MLP_mode not in (None, "fixed_random_init", "no_pred_mlp"):
            raise ValueError(f"there is no MLP_mode {MLP_mode!r}; choose None, 'fixed_random_init' or 'no_pred_mlp'")
        self.stop_gradient = stop_gradient
        self.MLP_mode = MLP_mode

        self.encoder = base_encoder(num_classes=dim, zero_init_residual=True)
        width = self.encoder.fc.in_features
        self.encoder.fc = nn.Sequential(
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            self.encoder.fc,
            nn.BatchNorm1d(dim, affine=False),
        )
        self.encoder.fc[6].bias.requires_grad = False  # the batch normalisation behind it takes any bias away again

        if MLP_mode == "no_pred_mlp":
            self.predictor = nn.Identity()
        else:
            self.predictor = nn.Sequential(
                nn.Linear(dim, pred_dim, bias=False),
                nn.BatchNorm1d(pred_dim),
                nn.ReLU(),
                nn.Linear(pred_dim, dim),
            )
        if MLP_mode == "fixed_random_init":
            self.predictor.requires_grad_(False)

    def forward(self, x1, x2):
        """Outputs for two views of the same images (Algorithm 1 of the paper).

        With `stop_gradient`, no gradient flows from the returned z1 and z2, but it flows through p1 and p2 to both
        the predictor and the encoder; without, it flows everywhere.

        Args:
            x1: the first views; (B, C, H, W).
            x2: the second views; same shape.

        Returns:
            p1, p2, z1, z2, in this order; (B, dim) each.
        """
        # TODO 3.1 SimSiam.forward: write your code here and remove the next line.
        raise NotImplementedError("question 3.1: SimSiam.forward")
        return p1, p2, z1, z2

    def loss(self, p1, p2, z1, z2, similarity_function="CosineSimilarity"):
        """The symmetric loss of the two views (Eq. 2 and 4 of the paper).

        Args:
            p1: output of the predictor for the first views; (B, dim).
            p2: output of the predictor for the second views; same shape.
            z1: output of the encoder for the first views; same shape.
            z2: output of the encoder for the second views; same shape.
            similarity_function: `CosineSimilarity`, your class below.

        Returns:
            Half of D(p1, z2) plus half of D(p2, z1), each a mean over the batch; in [-1, 1], no dimensions.

        Raises:
            ValueError: there is no such similarity function.
        """
        if similarity_function != "CosineSimilarity":
            raise ValueError(f"there is no similarity function {similarity_function!r}; choose 'CosineSimilarity'")
        similarity = CosineSimilarity()
        # TODO 3.3 SimSiam.loss: write your code here and remove the next line.
        raise NotImplementedError("question 3.3: SimSiam.loss")
        return loss


def bdot(a: Tensor, b: Tensor) -> Tensor:
    """Dot product of each row of a (B, D) with the same row of b (B, D); (B,)."""
    return torch.einsum("bd,bd->b", a, b)


class CosineSimilarity(Module):
    """Cosine of the angle between vectors."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        """Choose the dimension of the vectors, and the least product of two norms that is divided by."""
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Similarity of each vector of x1 with the same one of x2: x1 . x2 / max(|x1| |x2|, eps).

        Use basic operations of torch, not its own cosine similarity.

        Args:
            x1: vectors; (B, D).
            x2: vectors; same shape.

        Returns:
            Cosines in [-1, 1]; (B,).
        """
        # TODO 3.2 CosineSimilarity.forward: write your code here and remove the next line.
        raise NotImplementedError("question 3.2: CosineSimilarity.forward")
        return similarity
