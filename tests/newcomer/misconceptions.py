"""Thirty misconceptions over the four assignments, as beginners have them: unit, and what the grader is to say of it.

The words are those of the tables in tests/checks, where the code stands.
"""

MISCONCEPTIONS: dict[str, list[tuple[str, str]]] = {
    "ift6135_h25": [
        ("q1_vae.log_likelihood_bernoulli", "averaged over the features instead of summed"),
        ("q1_vae.log_likelihood_normal", "the factor 1/2 is missing."),
        ("q1_vae.log_mean_exp", "the sum is not divided by the number of samples K"),
        ("q1_vae.kl_gaussian_gaussian_analytic", "p and q have changed places"),
        (
            "q1_vae.kl_gaussian_gaussian_mc",
            "the samples are drawn with the variance in the place of the standard deviation",
        ),
        ("q2_ddpm.q_xt_x0", "the time is off by one"),
        ("q2_ddpm.p_sample", "the noise has the posterior's variance (beta-tilde)"),
        ("q2_ddpm.loss", "averaged over the pixels instead of summed"),
        ("q3_cfg_diffusion.sigma_lambda", "it is sigma squared: the square root is missing"),
        ("q3_trainer_cfg.sample", "the guidance is u + w (c - u); in this paper it is (1 + w) c - w u"),
    ],
    "cmput328_f24": [
        ("models.VarianceScheduler", "the square roots are interpolated, but never squared again"),
        ("models.VarianceScheduler.add_noise", "alpha_bar is used without its square root"),
        ("models.DDPM.forward", "compared with the noisy image"),
        ("models.DDPM.recover_sample", "the noise is added instead of subtracted"),
        ("models.DDPM.generate_sample", "the last step, t = 0, is missing"),
        ("models.DDIM.recover_sample", "this is a step of the DDPM"),
        ("models.VAE.reparameterize", "the variance instead of the standard deviation"),
    ],
    "ift6135_h23": [
        ("vae_solution.DiagonalGaussianDistribution.kl", "the factor 1/2 is missing"),
        ("vae_solution.DiagonalGaussianDistribution.nll", "once instead of once per dimension"),
        ("vae_solution.VAE.log_likelihood", "log K is not subtracted"),
        ("ddpm_solution.posterior_variance", "these are the betas"),
        ("ddpm_solution.q_sample", "1 - alpha_bar is used without its square root"),
        ("q3_solution.SimSiam.forward", "detach both z1 and z2"),
        ("q3_solution.CosineSimilarity.forward", "along the first axis"),
        ("q3_solution.SimSiam.loss", "the sign is wrong"),
    ],
    "ift6135_a22": [
        ("vae.DiagonalGaussianDistribution.sample", "by the variance instead of the standard deviation"),
        ("gan.criterion", "takes probabilities"),
        ("gan.discriminator_train", "the targets have changed places"),
        ("gan.generator_train", "that saturates"),
        ("ddpm.p_sample_loop", "the loop runs forward in time"),
    ],
}
