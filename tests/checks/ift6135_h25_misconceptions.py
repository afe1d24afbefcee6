"""The misconceptions that the checks of ift6135_h25 can name, as students may write them.

`PLANTED` maps a unit to the words of its hints, and each hint to bodies of the solution that bring it out. Where a
function has several solutions, the label of the one that is meant stands before the body.
"""

BERNOULLI = "terms = target * mu.log() + (1 - target) * (1 - mu).log()\n"
NORMAL = "square = (z - mu) ** 2\nterms = -0.5 * (math.log(2 * math.pi) + logvar + square / logvar.exp())\n"
SHIFTED = "largest = y.max(dim=1, keepdim=True).values\nshifted = (y - largest).exp()\n"
KL = (
    "square = (mu_q - mu_p) ** 2\n"
    "terms = 0.5 * (logvar_p - logvar_q + (logvar_q.exp() + square) / logvar_p.exp() - 1)\n"
)
DRAWN = "z = mu_q + (0.5 * logvar_q).exp() * torch.randn_like(mu_q)\n"
DENSITIES = (
    "log_q = -0.5 * (math.log(2 * math.pi) + logvar_q + (z - mu_q) ** 2 / logvar_q.exp())\n"
    "log_p = -0.5 * (math.log(2 * math.pi) + logvar_p + (z - mu_p) ** 2 / logvar_p.exp())\n"
)
ELBO = (
    "log_likelihood = log_likelihood_bernoulli(recon_x, x)\n"
    "kl = kl_gaussian_gaussian_analytic(mu, logvar, torch.zeros_like(mu), torch.zeros_like(mu))\n"
)
BAR = "bar = self.gather(self.alpha_bar, t)\nmean, var = bar.sqrt() * x0, 1 - bar\n"
NOISED = "mean, var = self.q_xt_x0(x0, t)\n"
REVERSE = (
    "beta, bar = self.gather(self.beta, t), self.gather(self.alpha_bar, t)\n"
    "alpha, eps, var = 1 - beta, self.eps_model(xt, t), beta\n"
    "mu_theta = (xt - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()\n"
)
STEP = "mean, var = self.p_xt_prev_xt(xt, t)\nnoise = torch.randn_like(xt)\n"
DDPM_ERROR = "xt = self.q_sample(x0, t, noise)\nerror = (noise - self.eps_model(xt, t)) ** 2\n"
TIMES = "t = torch.full((x.shape[0],), {}, dtype=torch.long)\nx = self.diffusion.p_sample(x, t)"
KEPT = TIMES.replace("x.shape[0]", "n_samples")
LAMBDA = (
    "b = math.atan(math.exp(-self.lambda_max / 2))\n"
    "a = math.atan(math.exp(-self.lambda_min / 2)) - b\n"
    "lambda_t = (-2 * torch.log(torch.tan(a * {} + b))).view(-1, 1, 1, 1)\n"
)
FACTORS = "alpha, sigma = self.alpha_lambda(lambda_t), self.sigma_lambda(lambda_t)\n"
RATIO = (
    "ratio = self.get_exp_ratio(lambda_t, lambda_t_prim)\n"
    "sigma, sigma_prim = self.sigma_lambda(lambda_t), self.sigma_lambda(lambda_t_prim)\n"
    "alpha, alpha_prim = self.alpha_lambda(lambda_t), self.alpha_lambda(lambda_t_prim)\n"
)
VARIANCES = (
    "undone = self.sigma_q_x(lambda_t, lambda_t_prim) ** 2\nnoising = self.sigma_q(lambda_t, lambda_t_prim) ** 2\n"
)
GUIDED_STEP = (
    "mean = self.mu_p_theta(z_lambda_t, x_t, lambda_t, lambda_t_prim)\n"
    "var = self.var_p_theta(lambda_t, lambda_t_prim)\n"
    "noise = torch.randn_like(z_lambda_t)\n"
)
CFG_ERROR = "z = self.q_sample(x0, self.get_lambda(t), noise)\nerror = (noise - self.eps_model(z, labels)) ** 2\n"
ESTIMATES = "cond, uncond, w = self.eps_model(z_t, labels), self.eps_model(z_t, None), cfg_scale\n"
IMAGE = (
    "alpha, sigma = self.diffusion.alpha_lambda(lambda_t), self.diffusion.sigma_lambda(lambda_t)\n"
    "x_t = {}\n"
    "z_t = self.diffusion.p_sample(z_t, lambda_t, lambda_t_prim, x_t)"
)

PLANTED: dict[str, dict[str, list[str]]] = {
    "q1_vae.log_likelihood_bernoulli": {
        "averaged over the features instead of summed": [BERNOULLI + "ll_bernoulli = terms.mean(1)"],
        "the sign is that of the cross-entropy": [BERNOULLI + "ll_bernoulli = -terms.sum(1)"],
        "the term with (1 - target) is missing": ["ll_bernoulli = (target * mu.log()).sum(1)"],
        "the term with target is missing": ["ll_bernoulli = ((1 - target) * (1 - mu).log()).sum(1)"],
        "mu is taken for a logit": [
            "loss = torch.nn.functional.binary_cross_entropy_with_logits(mu, target, reduction='none')\n"
            "ll_bernoulli = -loss.sum(1)",
            "ll_bernoulli = torch.distributions.Bernoulli(logits=mu, validate_args=False).log_prob(target).sum(1)",
        ],
        "mu and target have changed places": [
            "ll_bernoulli = (mu * target.log() + (1 - mu) * (1 - target).log()).sum(1)"
        ],
        "the sum runs over the batch": [
            BERNOULLI + "ll_bernoulli = terms.sum(0)",
            BERNOULLI + "ll_bernoulli = terms.sum()",
        ],
        "the logarithm has another base": [
            "ll_bernoulli = (target * mu.log2() + (1 - target) * (1 - mu).log2()).sum(1)",
            "ll_bernoulli = (target * mu.log10() + (1 - target) * (1 - mu).log10()).sum(1)",
        ],
    },
    "q1_vae.log_likelihood_normal": {
        "the constant with 2 pi is missing": ["ll_normal = -0.5 * (logvar + (z - mu) ** 2 / logvar.exp()).sum(1)"],
        "the constant with 2 pi is there once instead of once per dimension": [
            "ll_normal = -0.5 * (math.log(2 * math.pi) + (logvar + (z - mu) ** 2 / logvar.exp()).sum(1))"
        ],
        "the factor 1/2 is missing.": [NORMAL + "ll_normal = 2 * terms.sum(1)"],
        "the factor 1/2 is missing in front of log 2 pi": [
            NORMAL + "ll_normal = (terms - 0.5 * math.log(2 * math.pi)).sum(1)"
        ],
        "the factor 1/2 is missing in front of the squared distance": [
            NORMAL + "ll_normal = (terms - 0.5 * square / logvar.exp()).sum(1)"
        ],
        "logvar is taken for the logarithm of the standard deviation": [
            "ll_normal = torch.distributions.Normal(mu, logvar.exp()).log_prob(z).sum(1)"
        ],
        "the distance is divided by the standard deviation instead of the variance": [
            "std = (0.5 * logvar).exp()\n"
            "ll_normal = (-0.5 * math.log(2 * math.pi) - std.log() - 0.5 * (z - mu) ** 2 / std).sum(1)"
        ],
        "logvar has the wrong sign": [NORMAL + "ll_normal = (terms + logvar).sum(1)"],
        "averaged over the dimensions instead of summed": [NORMAL + "ll_normal = terms.mean(1)"],
        "the sign of the result is wrong": [NORMAL + "ll_normal = -terms.sum(1)"],
        "the sum runs over the batch": [NORMAL + "ll_normal = terms.sum(0)", NORMAL + "ll_normal = terms.sum()"],
    },
    "q1_vae.log_mean_exp": {
        "the maximum is subtracted but never added back": [SHIFTED + "lme = shifted.mean(1).log()"],
        "the sum is not divided by the number of samples K": ["lme = torch.logsumexp(y, dim=1)"],
        "the maximum is that of the whole tensor, added to every row": [
            "lme = (y - y.max()).exp().mean(1).log() + y.max(dim=1).values"
        ],
        "the mean of the logarithms is returned": ["lme = y.exp().log().mean(1)"],
        "the logarithm is missing": ["lme = y.exp().mean(1)", SHIFTED + "lme = shifted.mean(1) + largest[:, 0]"],
        "the mean runs over the batch instead of the samples": ["lme = y.exp().mean(0).log()"],
        "the maximum of shape (B, 1) is added to a tensor of shape (B,)": [
            SHIFTED + "lme = shifted.mean(1).log() + largest"
        ],
        "subtract the maximum of each row before exp": [
            "lme = y.exp().mean(1).log()",
            "lme = (y - y.max()).exp().mean(1).log() + y.max()",
        ],
    },
    "q1_vae.kl_gaussian_gaussian_analytic": {
        "p and q have changed places": [
            "kl_gg = 0.5 * (logvar_q - logvar_p + (logvar_p.exp() + (mu_q - mu_p) ** 2) / logvar_q.exp() - 1).sum(1)"
        ],
        "the factor 1/2 is missing": [KL + "kl_gg = 2 * terms.sum(1)"],
        "the -1 (one for every dimension) is missing": [KL + "kl_gg = (terms + 0.5).sum(1)"],
        "the -1 is there once instead of once per dimension": [
            "kl_gg = 0.5 * ((logvar_p - logvar_q + (logvar_q.exp() + (mu_q - mu_p) ** 2) / logvar_p.exp()).sum(1) - 1)"
        ],
        "the squared difference of the means is missing, or not divided by the variance of p": [
            "kl_gg = 0.5 * (logvar_p - logvar_q + (logvar_q - logvar_p).exp() - 1).sum(1)",
            "kl_gg = 0.5 * (logvar_p - logvar_q + (logvar_q - logvar_p).exp() + (mu_q - mu_p) ** 2 - 1).sum(1)",
        ],
        "the difference of the means is not squared": [
            "kl_gg = 0.5 * (logvar_p - logvar_q + (logvar_q.exp() + mu_q - mu_p) / logvar_p.exp() - 1).sum(1)"
        ],
        "the difference of the log-variances has the wrong sign": [
            "kl_gg = 0.5 * (logvar_q - logvar_p + (logvar_q.exp() + (mu_q - mu_p) ** 2) / logvar_p.exp() - 1).sum(1)"
        ],
        "logvar is taken for the logarithm of the standard deviation": [
            "normal = torch.distributions.Normal\n"
            "q, p = normal(mu_q, logvar_q.exp()), normal(mu_p, logvar_p.exp())\n"
            "kl_gg = torch.distributions.kl_divergence(q, p).sum(1)"
        ],
        "p is taken for the standard normal": ["kl_gg = -0.5 * (1 + logvar_q - mu_q**2 - logvar_q.exp()).sum(1)"],
        "the sign of the result is wrong": [KL + "kl_gg = -terms.sum(1)"],
        "averaged over the dimensions instead of summed": [KL + "kl_gg = terms.mean(1)"],
        "the sum runs over the batch": [KL + "kl_gg = terms.sum(0)", KL + "kl_gg = terms.sum()"],
    },
    "q1_vae.kl_gaussian_gaussian_mc": {
        "p and q have changed places": [
            DRAWN + DENSITIES + "kl_mc = (log_p - log_q).sum(2).mean(1)",
            DRAWN.replace("_q", "_p") + DENSITIES + "kl_mc = (log_p - log_q).sum(2).mean(1)",
            DRAWN.replace("_q", "_p") + DENSITIES + "kl_mc = (log_q - log_p).sum(2).mean(1)",
        ],
        "the samples are drawn with the variance in the place of the standard deviation": [
            DRAWN.replace("0.5 * ", "") + DENSITIES + "kl_mc = (log_q - log_p).sum(2).mean(1)"
        ],
        "averaged over the dimensions instead of summed": [
            DRAWN + DENSITIES + "kl_mc = (log_q - log_p).mean(2).mean(1)"
        ],
        "summed over the samples instead of averaged": [DRAWN + DENSITIES + "kl_mc = (log_q - log_p).sum(2).sum(1)"],
        "only log q(z) is there: log p(z) is missing": [DRAWN + DENSITIES + "kl_mc = log_q.sum(2).mean(1)"],
        "the samples are drawn from the standard normal instead of q": [
            "z = torch.randn_like(mu_q)\n" + DENSITIES + "kl_mc = (log_q - log_p).sum(2).mean(1)"
        ],
        "no samples are drawn, or one sample is shared by the whole batch": [
            "kl_mc = kl_gaussian_gaussian_analytic(mu_q[:, 0], logvar_q[:, 0], mu_p[:, 0], logvar_p[:, 0])",
            DRAWN.replace("(mu_q)", "(mu_q[:1])") + DENSITIES + "kl_mc = (log_q - log_p).sum(2).mean(1)",
        ],
        "num_samples makes no difference": [
            "mu_q, logvar_q, mu_p, logvar_p = (item[:, :1] for item in (mu_q, logvar_q, mu_p, logvar_p))\n"
            + DRAWN
            + DENSITIES
            + "kl_mc = (log_q - log_p).sum(2).mean(1)"
        ],
    },
    "q1_train_vae.loss_function": {
        "averaged over the batch instead of summed": [ELBO + "loss = (kl - log_likelihood).mean()"],
        "the ELBO is returned, but the loss is minus the ELBO": [ELBO + "loss = (log_likelihood - kl).sum()"],
        "the divergence is subtracted instead of added": [ELBO + "loss = (-log_likelihood - kl).sum()"],
        "the divergence is missing": [ELBO + "loss = -log_likelihood.sum()"],
        "the reconstruction term is missing": [ELBO + "loss = kl.sum()"],
        "the reconstruction term has the wrong sign": [ELBO + "loss = (kl + log_likelihood).sum()"],
        "the losses of the elements are not summed": [ELBO + "loss = kl - log_likelihood"],
    },
    "q2_ddpm.q_xt_x0": {
        "alpha_bar is used without its square root": [BAR + "mean = bar * x0"],
        "alpha_t is used in the place of alpha_bar_t": [
            BAR + "mean = self.gather(self.alpha, t).sqrt() * x0",
            BAR + "mean = self.gather(self.alpha, t) * x0",
        ],
        "x_0 is multiplied by the standard deviation of the noise": [BAR + "mean = (1 - bar).sqrt() * x0"],
        "the time is off by one": [
            BAR + "mean = self.gather(self.alpha_bar, (t - 1).clamp(min=0)).sqrt() * x0",
            BAR + "mean = self.gather(self.alpha_bar, (t + 1).clamp(max=self.n_steps - 1)).sqrt() * x0",
            BAR + "var = 1 - self.gather(self.alpha_bar, (t - 1).clamp(min=0))",
        ],
        "the standard deviation is returned instead of the variance": [BAR + "var = (1 - bar).sqrt()"],
        "1 - alpha_t is used in the place of 1 - alpha_bar_t": [BAR + "var = 1 - self.gather(self.alpha, t)"],
        "alpha_bar is returned instead of 1 - alpha_bar": [BAR + "var = bar"],
        "1 - sqrt(alpha_bar) is used in the place of 1 - alpha_bar": [BAR + "var = 1 - bar.sqrt()"],
    },
    "q2_ddpm.q_sample": {
        "multiplied by the variance instead of the standard deviation": [NOISED + "sample = mean + var * eps"],
        "the noise is not scaled": [NOISED + "sample = mean + eps"],
        "the noise is subtracted": [NOISED + "sample = mean - var.sqrt() * eps"],
        "the noise that was passed in is not used": [NOISED + "sample = mean"],
        "the image is not scaled down": [NOISED + "sample = x0 + var.sqrt() * eps"],
        "the mean and the noise have changed their factors": [
            NOISED + "sample = var.sqrt() * x0 + (1 - var).sqrt() * eps"
        ],
    },
    "q2_ddpm.p_xt_prev_xt": {
        "the factor 1 / sqrt(alpha_t) is missing": [REVERSE + "mu_theta = xt - beta / (1 - bar).sqrt() * eps"],
        "divided by sqrt(alpha_bar_t) instead of sqrt(alpha_t)": [
            REVERSE + "mu_theta = (xt - beta / (1 - bar).sqrt() * eps) / bar.sqrt()"
        ],
        "divided by alpha_t without the square root": [
            REVERSE + "mu_theta = (xt - beta / (1 - bar).sqrt() * eps) / alpha"
        ],
        "multiplied by sqrt(alpha_t) instead of divided": [
            REVERSE + "mu_theta = alpha.sqrt() * (xt - beta / (1 - bar).sqrt() * eps)"
        ],
        "1 - alpha_bar_t stands without its square root": [
            REVERSE + "mu_theta = (xt - beta / (1 - bar) * eps) / alpha.sqrt()"
        ],
        "the estimate of x_0 is returned instead of the mean of x_{t-1}": [
            REVERSE + "mu_theta = (xt - (1 - bar).sqrt() * eps) / bar.sqrt()"
        ],
        "the estimated noise is added instead of subtracted": [
            REVERSE + "mu_theta = (xt + beta / (1 - bar).sqrt() * eps) / alpha.sqrt()"
        ],
        "the estimated noise is subtracted without its factor": [REVERSE + "mu_theta = (xt - eps) / alpha.sqrt()"],
        "the factor of the noise has alpha_t where 1 - alpha_t belongs": [
            REVERSE + "mu_theta = (xt - alpha / (1 - bar).sqrt() * eps) / alpha.sqrt()"
        ],
        "the network is asked at another time": [
            REVERSE + "mu_theta = (xt - beta / (1 - bar).sqrt() * self.eps_model(xt, t + 1)) / alpha.sqrt()",
            REVERSE + "mu_theta = (xt - beta / (1 - bar).sqrt() * self.eps_model(xt, t - 1)) / alpha.sqrt()",
        ],
        "the standard deviation is returned instead of the variance": [REVERSE + "var = beta.sqrt()"],
        "it is the posterior's variance (beta-tilde); here sigma^2 = beta_t is used": [
            REVERSE
            + "before = torch.cat([torch.ones(1), self.alpha_bar[:-1]])\n"
            + "var = (1 - self.gather(before, t)) / (1 - bar) * beta"
        ],
        "it is 1 - alpha_bar_t, the variance of x_t given x_0": [REVERSE + "var = 1 - bar"],
        "the square of beta_t is taken": [REVERSE + "var = beta**2"],
        "the time is off by one": [REVERSE + "var = self.gather(self.sigma2, (t - 1).clamp(min=0))"],
        "use self.eps_model": [REVERSE.replace("self.eps_model(xt, t)", "torch.randn_like(xt)")],
    },
    "q2_ddpm.p_sample": {
        "the noise is not centred: it is uniform on [0, 1)": [
            STEP + "sample = mean + var.sqrt() * torch.rand_like(xt)"
        ],
        "multiplied by the variance instead of the standard deviation": [STEP + "sample = mean + var * noise"],
        "the noise has the posterior's variance (beta-tilde)": [
            STEP
            + "bar, before = self.gather(self.alpha_bar, t), self.gather(self.alpha_bar, (t - 1).clamp(min=0))\n"
            + "sample = mean + ((1 - before) / (1 - bar) * var).sqrt() * noise"
        ],
        "the noise is not scaled": [STEP + "sample = mean + noise"],
        "no noise is added": [STEP + "sample = mean"],
        "draw noise in the shape of the whole batch": [STEP + "sample = mean + var.sqrt() * noise[:1]"],
    },
    "q2_ddpm.loss": {
        "averaged over the pixels instead of summed": [DDPM_ERROR + "loss = error.mean()"],
        "summed over the batch as well": [DDPM_ERROR + "loss = error.sum()"],
        "the square root is taken": [
            DDPM_ERROR + "loss = error.sum(dim).sqrt().mean()",
            DDPM_ERROR + "loss = error.sum().sqrt()",
        ],
        "the absolute error is taken instead of the squared one": [DDPM_ERROR + "loss = error.sqrt().sum(dim).mean()"],
        "the network's output is compared with the image instead of the noise": [
            "xt = self.q_sample(x0, t, noise)\nloss = ((x0 - self.eps_model(xt, t)) ** 2).sum(dim).mean()"
        ],
        "the network sees the clean image instead of x_t": [
            "loss = ((noise - self.eps_model(x0, t)) ** 2).sum(dim).mean()"
        ],
        "the network sees other noise than it has to estimate": [
            DDPM_ERROR.replace("x0, t, noise", "x0, t") + "loss = error.sum(dim).mean()"
        ],
        "the losses of the images are not averaged": [DDPM_ERROR + "loss = error.sum(dim)"],
        "look for torch.no_grad(), .detach() or .item()": [DDPM_ERROR + "loss = error.detach().sum(dim).mean()"],
        "pass t as it was drawn": [
            DDPM_ERROR.replace("(xt, t)", "(xt, t.float() / self.n_steps)") + "loss = error.sum(dim).mean()"
        ],
        "use self.eps_model": [DDPM_ERROR.replace("self.eps_model(xt, t)", "xt") + "loss = error.sum(dim).mean()"],
    },
    "q2_trainer_ddpm.sample": {
        "the loop runs forward in time": [TIMES.format("t_")],
        "t starts at n_steps: it is off by one": [TIMES.format("n_steps - t_")],
        "t ends at -1: it is off by one": [TIMES.format("n_steps - 2 - t_")],
        "the noise of the start is returned": [
            "t = torch.full((x.shape[0],), n_steps - 1 - t_)\n"
            "denoised = self.diffusion.p_sample(x if t_ == 0 else denoised, t)"
        ],
        "q_sample adds noise; p_sample takes it away": [
            "t = torch.full((x.shape[0],), n_steps - 1 - t_)\nx = self.diffusion.q_sample(x, t)"
        ],
    },
    "q2_trainer_ddpm.generate_intermediate_samples": {
        "the loop runs forward in time": [KEPT.format("step - 1")],
        "t starts at n_steps: it is off by one": [KEPT.format("n_steps - step + 1")],
        "t ends at -1: it is off by one": [KEPT.format("n_steps - step - 1")],
        "the last step, t = 0, is missing": [
            "if step < n_steps:\n    x = self.diffusion.p_sample(x, torch.full((n_samples,), n_steps - step))"
        ],
        "the image of the step before is kept": [
            "state = x if step == 1 else after\n"
            "after = self.diffusion.p_sample(state, torch.full((n_samples,), n_steps - step))\n"
            "x = state"
        ],
        "the steps are taken for times t": [
            KEPT.format("n_steps - step") + "\nif n_steps - step in steps_to_show:\n"
            "    images.append(x.numpy())\n"
            "continue"
        ],
        "the initial noise is kept every time": [
            "state = self.diffusion.p_sample(x if step == 1 else state, torch.full((n_samples,), n_steps - step))"
        ],
    },
    "q3_cfg_diffusion.get_lambda": {
        "time runs the wrong way": [
            LAMBDA.format("(1 - t / self.n_steps)"),
            LAMBDA.format("t / self.n_steps").replace("(-2", "(2"),
        ],
        "the factor 2 is missing": [LAMBDA.format("t / self.n_steps").replace("(-2", "(-1")],
        "t is divided by n_steps - 1 instead of n_steps": [LAMBDA.format("t / (self.n_steps - 1)")],
        "the time is off by one": [LAMBDA.format("(t + 1) / self.n_steps"), LAMBDA.format("(t - 1) / self.n_steps")],
        "lambda falls on a straight line": [
            "span = self.lambda_min - self.lambda_max\n"
            "lambda_t = (self.lambda_max + span * t / self.n_steps).view(-1, 1, 1, 1)"
        ],
        "the shape (batch,) has to become (batch, 1, 1, 1)": [
            LAMBDA.format("t / self.n_steps").replace(".view(-1, 1, 1, 1)", "")
        ],
    },
    "q3_cfg_diffusion.alpha_lambda": {
        "it is alpha squared: the square root is missing": ["var = torch.sigmoid(lambda_t) ** 2"],
        "the square root is taken twice": ["var = torch.sigmoid(lambda_t).sqrt()"],
        "lambda has the wrong sign: this is sigma": ["var = 1 / (1 + torch.exp(lambda_t))"],
        "lambda is taken for log(alpha / sigma)": ["var = torch.sigmoid(2 * lambda_t)"],
    },
    "q3_cfg_diffusion.sigma_lambda": {
        "it is sigma squared: the square root is missing": ["var = torch.sigmoid(-lambda_t) ** 2"],
        "it is alpha": ["var = torch.sigmoid(lambda_t)"],
        "sigma = 1 - alpha, but it is the squares that add up to 1": [
            "var = 1 - self.alpha_lambda(lambda_t)",
            "var = (1 - self.alpha_lambda(lambda_t)) ** 2",
        ],
    },
    "q3_cfg_diffusion.q_sample": {
        "alpha and sigma have changed places": [FACTORS + "z_lambda_t = sigma * x + alpha * noise"],
        "the factors are the squares of alpha and sigma": [FACTORS + "z_lambda_t = alpha**2 * x + sigma**2 * noise"],
        "the variance as its factor instead of the standard deviation": [
            FACTORS + "z_lambda_t = alpha * x + sigma**2 * noise"
        ],
        "the noise is not scaled": [FACTORS + "z_lambda_t = alpha * x + noise"],
        "the noise is missing": [FACTORS + "z_lambda_t = alpha * x"],
        "the noise is subtracted": [FACTORS + "z_lambda_t = alpha * x - sigma * noise"],
    },
    "q3_cfg_diffusion.sigma_q": {
        "it is the variance: the square root is missing": [RATIO + "var_q = ((1 - ratio) * sigma**2) ** 2"],
        "it is sigma_q_x: the sigma in it is that of the other log-SNR": [
            RATIO + "var_q = (1 - ratio) * sigma_prim**2"
        ],
        "the factor 1 - exp(lambda - lambda') is missing": [RATIO + "var_q = sigma**2"],
        "sigma is missing": [RATIO + "var_q = 1 - ratio"],
        "exp(lambda - lambda') is there without the 1 -": [RATIO + "var_q = ratio * sigma**2"],
        "sigma is used where sigma squared belongs": [RATIO + "var_q = (1 - ratio) * sigma"],
        "1 - exp(lambda - lambda') stands outside the square root": [RATIO + "var_q = (1 - ratio) ** 2 * sigma**2"],
        "alpha is used in the place of sigma": [RATIO + "var_q = (1 - ratio) * alpha**2"],
    },
    "q3_cfg_diffusion.sigma_q_x": {
        "it is the variance: the square root is missing": [RATIO + "var_q_x = ((1 - ratio) * sigma_prim**2) ** 2"],
        "it is sigma_q: the sigma in it is that of the other log-SNR": [RATIO + "var_q_x = (1 - ratio) * sigma**2"],
        "the factor 1 - exp(lambda - lambda') is missing": [RATIO + "var_q_x = sigma_prim**2"],
    },
    "q3_cfg_diffusion.mu_p_theta": {
        "z and x have changed places": [
            RATIO + "mu = ratio * (alpha_prim / alpha) * x + (1 - ratio) * alpha_prim * z_lambda_t"
        ],
        "lambda and lambda' have changed places": [
            RATIO + "mu = ratio * (alpha / alpha_prim) * z_lambda_t + (1 - ratio) * alpha * x",
            RATIO + "mu = (alpha / alpha_prim) / ratio * z_lambda_t + (1 - 1 / ratio) * alpha * x",
        ],
        "the ratio of the alphas is upside down": [
            RATIO + "mu = ratio * (alpha / alpha_prim) * z_lambda_t + (1 - ratio) * alpha_prim * x"
        ],
        "the ratio of the alphas is missing": [RATIO + "mu = ratio * z_lambda_t + (1 - ratio) * alpha_prim * x"],
        "the alpha in front of x is that of lambda instead of lambda'": [
            RATIO + "mu = ratio * (alpha_prim / alpha) * z_lambda_t + (1 - ratio) * alpha * x"
        ],
        "the alpha in front of x is missing": [
            RATIO + "mu = ratio * (alpha_prim / alpha) * z_lambda_t + (1 - ratio) * x"
        ],
        "the term with x is missing": [RATIO + "mu = ratio * (alpha_prim / alpha) * z_lambda_t"],
    },
    "q3_cfg_diffusion.var_p_theta": {
        "it is the standard deviation, not the variance": [
            "var = self.sigma_q_x(lambda_t, lambda_t_prim) ** (1 - v) * self.sigma_q(lambda_t, lambda_t_prim) ** v"
        ],
        "v and 1 - v have changed places": [VARIANCES + "var = undone**v * noising ** (1 - v)"],
        "mixed linearly instead of in their logarithms": [VARIANCES + "var = (1 - v) * undone + v * noising"],
        "v is left out of account": [
            VARIANCES + "var = undone",
            VARIANCES + "var = noising",
            VARIANCES + "var = undone * noising",
            VARIANCES + "var = undone**0.7 * noising**0.3",
        ],
        "the square of a variance is taken": [VARIANCES + "var = (undone ** (1 - v) * noising**v) ** 2"],
    },
    "q3_cfg_diffusion.p_sample": {
        "x and z have changed places": [
            GUIDED_STEP.replace("z_lambda_t, x_t,", "x_t, z_lambda_t,") + "sample = mean + var.sqrt() * noise"
        ],
        "the noise is not centred: it is uniform on [0, 1)": [
            GUIDED_STEP.replace("randn", "rand") + "sample = mean + var.sqrt() * noise"
        ],
        "multiplied by the variance instead of the standard deviation": [GUIDED_STEP + "sample = mean + var * noise"],
        "the noise is not scaled": [GUIDED_STEP + "sample = mean + noise"],
        "the noise has the deviation sigma_q.": [
            GUIDED_STEP + "sample = mean + self.sigma_q(lambda_t, lambda_t_prim) * noise"
        ],
        "the noise has the deviation sigma_q_x": [
            GUIDED_STEP + "sample = mean + self.sigma_q_x(lambda_t, lambda_t_prim) * noise"
        ],
        "no noise is added": [GUIDED_STEP + "sample = mean"],
        "draw noise in the shape of the whole batch": [GUIDED_STEP + "sample = mean + var.sqrt() * noise[:1]"],
    },
    "q3_cfg_diffusion.loss": {
        "averaged over the pixels instead of summed": [CFG_ERROR + "loss = error.mean()"],
        "summed over the batch as well": [CFG_ERROR + "loss = error.sum()"],
        "the square root is taken": [
            CFG_ERROR + "loss = error.sum(dim).sqrt().mean()",
            CFG_ERROR + "loss = error.sum().sqrt()",
        ],
        "the absolute error is taken instead of the squared one": [CFG_ERROR + "loss = error.sqrt().sum(dim).mean()"],
        "the network's output is compared with the image instead of the noise": [
            CFG_ERROR.replace("(noise - self", "(x0 - self") + "loss = error.sum(dim).mean()"
        ],
        "the losses of the images are not averaged": [CFG_ERROR + "loss = error.sum(dim)"],
        "t is used in the place of lambda: get_lambda(t) is missing": [
            CFG_ERROR.replace("self.get_lambda(t)", "t.view(-1, 1, 1, 1)") + "loss = error.sum(dim).mean()"
        ],
        "the network sees the clean image": [
            CFG_ERROR + "loss = ((noise - self.eps_model(x0, labels)) ** 2).sum(dim).mean()"
        ],
        "the network sees the noise alone": [
            CFG_ERROR + "loss = ((noise - self.eps_model(noise, labels)) ** 2).sum(dim).mean()"
        ],
        "the time that get_lambda gets has to be t itself": [
            CFG_ERROR.replace("get_lambda(t)", "get_lambda((t + 1).clamp(max=self.n_steps))")
            + "loss = error.sum(dim).mean()"
        ],
        "labels are left out by the trainer, not by the loss": [
            "if torch.rand(()) < 0.9:\n    labels = None\n" + CFG_ERROR + "loss = error.sum(dim).mean()",
            CFG_ERROR.replace("(z, labels)", "(z, None)") + "loss = error.sum(dim).mean()",
        ],
        "look for torch.no_grad(), .detach() or .item()": [CFG_ERROR + "loss = error.detach().sum(dim).mean()"],
        "use self.eps_model": [CFG_ERROR.replace("self.eps_model(z, labels)", "z") + "loss = error.sum(dim).mean()"],
    },
    "q3_trainer_cfg.sample": {
        "the loop runs forward in time": [
            "sample lambdas: lambda_t = self.diffusion.get_lambda(torch.full_like(t, t_))\n"
            "lambda_t_prim = self.diffusion.get_lambda(torch.full_like(t, t_ + 1))"
        ],
        "the time is off by one": [
            "sample lambdas: lambda_t, lambda_t_prim = self.diffusion.get_lambda(t + 1), self.diffusion.get_lambda(t)"
        ],
        "lambda and lambda' have changed places": [
            "sample lambdas: lambda_t, lambda_t_prim = self.diffusion.get_lambda(t - 1), self.diffusion.get_lambda(t)"
        ],
        "lambda' is taken at t + 1, which is noisier": [
            "sample lambdas: lambda_t, lambda_t_prim = self.diffusion.get_lambda(t), self.diffusion.get_lambda(t + 1)"
        ],
        "lambda' is taken at the same time as lambda": [
            "sample lambdas: lambda_t = lambda_t_prim = self.diffusion.get_lambda(t)"
        ],
        "the guidance is u + w (c - u); in this paper it is (1 + w) c - w u": [
            "sample guidance: " + ESTIMATES + "eps = uncond + w * (cond - uncond)",
            "sample guidance: " + ESTIMATES + "eps = w * cond + (1 - w) * uncond",
        ],
        "the conditional and the unconditional estimate have changed places": [
            "sample guidance: " + ESTIMATES + "eps = (1 + w) * uncond - w * cond"
        ],
        "the guidance is left out: only the conditional estimate is used": [
            "sample guidance: " + ESTIMATES + "eps = cond"
        ],
        "the labels are not used: only the unconditional estimate is": [
            "sample guidance: " + ESTIMATES + "eps = uncond"
        ],
        "the unconditional estimate is left out of the combination": [
            "sample guidance: " + ESTIMATES + "eps = (1 + w) * cond"
        ],
        "the unconditional estimate is added instead of subtracted": [
            "sample guidance: " + ESTIMATES + "eps = (1 + w) * cond + w * uncond"
        ],
        "pass None for the labels": ["sample guidance: eps = self.eps_model(z_t, labels)"],
        "self.ema_model is another network": [
            "sample guidance: eps = self.eps_model(z_t, None)",
            "sample guidance: " + ESTIMATES.replace("eps_model", "ema_model") + "eps = (1 + w) * cond - w * uncond",
        ],
        "alpha and sigma have changed places": ["sample step: " + IMAGE.format("(z_t - alpha * eps) / sigma")],
        "the division by alpha is missing": ["sample step: " + IMAGE.format("z_t - sigma * eps")],
        "the noise is not scaled by sigma": ["sample step: " + IMAGE.format("(z_t - eps) / alpha")],
        "sigma squared is used in the place of sigma": [
            "sample step: " + IMAGE.format("(z_t - sigma**2 * eps) / alpha")
        ],
        "alpha squared is used in the place of alpha": [
            "sample step: " + IMAGE.format("(z_t - sigma * eps) / alpha**2")
        ],
        "the noise is added instead of subtracted": ["sample step: " + IMAGE.format("(z_t + sigma * eps) / alpha")],
        "the noise estimate is passed in the place of the image": ["sample step: " + IMAGE.format("eps")],
        "z is passed in the place of the image": ["sample step: " + IMAGE.format("z_t")],
        "z is returned instead of the image x": [
            "sample step: "
            + IMAGE.format("(z_t - sigma * eps) / alpha")
            .replace("x_t =", "image, x_t =")
            .replace("\nz_t", ", z_t\nz_t")
            .replace("prim, x_t)", "prim, image)")
        ],
        "the noise of the start is returned": [
            "sample step: start = z_t if t_ == 0 else start\n"
            + IMAGE.format("(z_t - sigma * eps) / alpha").replace("x_t", "image")
            + "\nx_t = start"
        ],
    },
}
