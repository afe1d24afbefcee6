"""Mistakes in the schedule, the DDPM and the DDIM of cmput328_f24, as students may make them.

`PLANTED` maps a unit to words of a hint (or of what a message says), and these to bodies that bring them out. The label
of the solution that a body replaces stands before it; an empty hint means that the mistake only has to cost points.
"""

AT = "bar = self.alpha_bars[time_step].view(-1, 1, 1, 1)\nnoise = torch.randn_like(x)\n"
NOISED = "noisy_input = bar.sqrt() * x + (1 - bar).sqrt() * noise\n"
ALPHA = AT.replace("alpha_bars", "alphas")
TIMES = "time_step = torch.randint(0, self.var_scheduler.num_steps, (len(x),), device=x.device)\n"
INPUT = "noisy_input, noise = self.var_scheduler.add_noise(x, time_step)\n"
ESTIMATE = "estimated_noise = self.network(noisy_input, time_step, label)\n"
COEFFICIENTS = (
    "s = self.var_scheduler\n"
    "beta, alpha, bar = (_at(v, timestep, noisy_sample) for v in (s.betas, s.alphas, s.alpha_bars))\n"
    "eps, x = estimated_noise, noisy_sample\n"
    "mean = (x - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()\n"
    "sigma, noise, noisy = beta.sqrt(), torch.randn_like(x), (timestep > 0).view(-1, 1, 1, 1)\n"
)
ADD = "sample = mean + noisy * sigma * noise\n"
DDIM = (
    "if previous is None:\n    previous = timestep - 1\n"
    "s, eps, x = self.var_scheduler, estimated_noise, noisy_sample\n"
    "bar, alpha, beta = (_at(v, timestep, x) for v in (s.alpha_bars, s.alphas, s.betas))\n"
    "before = torch.where(previous.view(-1, 1, 1, 1) < 0, 1.0, _at(s.alpha_bars, previous.clamp(min=0), x))\n"
    "x0 = (x - (1 - bar).sqrt() * eps) / bar.sqrt()\n"
)
JUMP = "sample = before.sqrt() * x0 + (1 - before).sqrt() * eps\n"
START = "sample = torch.randn(num_samples, 1, 32, 32, device=device)\n"
LOOP = "for time_step in reversed(range(self.var_scheduler.num_steps)):\n"
STEP = (
    "    timestep = torch.full((num_samples,), time_step, device=device)\n"
    "    estimated_noise = self.network(sample, timestep, labels)\n"
    "    sample = self.recover_sample(sample, estimated_noise, timestep)\n"
)
STRIDES = (
    "last = self.var_scheduler.num_steps - 1\n"
    "times = torch.linspace(last, -1, 51).round().long().tolist()\n"
    "for time_step, time_before in zip(times, times[1:]):\n"
    "    timestep = torch.full((num_samples,), time_step, device=device)\n"
    "    previous = torch.full((num_samples,), time_before, device=device)\n"
    "    estimated_noise = self.network(sample, timestep, labels)\n"
)
JUMPS = "    sample = self.recover_sample(sample, estimated_noise, timestep, previous)\n"
LINEAR = "betas of the linear schedule: self.betas = "
QUADRATIC = "betas of the quadratic schedule: self.betas = "

PLANTED: dict[str, dict[str, list[str]]] = {
    "models.VarianceScheduler": {
        "these are the betas of the quadratic schedule": [
            LINEAR + "torch.linspace(beta_start**0.5, beta_end**0.5, num_steps) ** 2"
        ],
        "these are the betas of the linear schedule": [QUADRATIC + "torch.linspace(beta_start, beta_end, num_steps)"],
        "the square roots are interpolated, but never squared again": [
            QUADRATIC + "torch.linspace(beta_start**0.5, beta_end**0.5, num_steps)"
        ],
        "the squares of the ends are interpolated": [
            QUADRATIC + "torch.linspace(beta_start**2, beta_end**2, num_steps) ** 0.5"
        ],
        "the betas are squared instead of their square roots": [
            QUADRATIC + "torch.linspace(beta_start, beta_end, num_steps) ** 2"
        ],
        "beta_start and beta_end have changed places": [LINEAR + "torch.linspace(beta_end, beta_start, num_steps)"],
        "these are the alphas": [LINEAR + "1 - torch.linspace(beta_start, beta_end, num_steps)"],
        "these are products of the alphas": [
            LINEAR + "torch.cumprod(1 - torch.linspace(beta_start, beta_end, num_steps), 0)"
        ],
        "the last beta stops short of beta_end": [
            LINEAR + "beta_start + (beta_end - beta_start) * torch.arange(num_steps) / num_steps"
        ],
        "beta_start and beta_end are not used": [LINEAR + "torch.linspace(1e-4, 0.02, num_steps)"],
        "betas[0] is beta_start": [LINEAR + "torch.linspace(beta_start, beta_end, num_steps + 1)"],
        "keep the last branch of the constructor": ["unknown name"],
        "ellipsis": [LINEAR + "..."],
        "the placeholder ... is still there": [LINEAR + "...\nreturn"],
    },
    "models.VarianceScheduler.add_noise": {
        "one time is used for the whole batch": [
            "add_noise: " + AT.replace("[time_step].view(-1, 1, 1, 1)", "[time_step[0]]") + NOISED
        ],
        "alpha_bar is used without its square root": ["add_noise: " + AT + NOISED.replace("bar.sqrt() * x", "bar * x")],
        "the square root is taken twice": [
            "add_noise: " + AT + "bar = bar.sqrt()\n" + NOISED.replace("(1 - bar)", "(1 - bar**2)")
        ],
        "alpha_t is used in the place of alpha_bar_t": [
            "add_noise: " + ALPHA + NOISED,
            "statistics of the schedule: self.alphas = 1 - self.betas\nself.alpha_bars = self.alphas",
        ],
        "the time is off by one": [
            "add_noise: " + AT.replace("[time_step]", "[time_step - 1]") + NOISED,
            "add_noise: " + AT.replace("[time_step]", "[(time_step + 1).clamp(max=self.num_steps - 1)]") + NOISED,
        ],
        "image and noise have changed their factors": [
            "add_noise: " + AT + "noisy_input = (1 - bar).sqrt() * x + bar.sqrt() * noise"
        ],
        "the image is not scaled down": ["add_noise: " + AT + "noisy_input = x + (1 - bar).sqrt() * noise"],
        "the image is missing": ["add_noise: " + AT + "noisy_input = (1 - bar).sqrt() * noise"],
        "multiplied by the variance instead of the standard deviation": [
            "add_noise: " + AT + "noisy_input = bar.sqrt() * x + (1 - bar) * noise"
        ],
        "1 - sqrt(alpha_bar) stands where 1 - alpha_bar belongs": [
            "add_noise: " + AT + "noisy_input = bar.sqrt() * x + (1 - bar.sqrt()).sqrt() * noise"
        ],
        "the noise is not scaled": ["add_noise: " + AT + "noisy_input = bar.sqrt() * x + noise"],
        "the noise is missing": ["add_noise: " + AT + "noisy_input = bar.sqrt() * x"],
        "the noise is subtracted": ["add_noise: " + AT + "noisy_input = bar.sqrt() * x - (1 - bar).sqrt() * noise"],
        "not drawn a second time": ["add_noise: " + AT + NOISED + "noise = torch.randn_like(x)"],
        "the noises of the images have changed places": ["add_noise: " + AT + NOISED + "noise = noise.roll(-1, 0)"],
        "rand instead of randn": ["add_noise: " + AT.replace("randn", "rand") + NOISED],
        "the noise is uniform instead of normal": [
            "add_noise: " + AT.replace("randn_like(x)", "rand_like(x) * 2 - 1") + NOISED
        ],
        "torch.randn_like draws normal noise": [
            "add_noise: " + AT.replace("torch.randn_like(x)", "(torch.rand_like(x) * 2 - 1) * 3**0.5") + NOISED
        ],
        "draw noise in the shape of the whole batch": [
            "add_noise: " + AT.replace("randn_like(x)", "randn_like(x[:1]).expand_as(x)") + NOISED,
            "add_noise: " + AT.replace("randn_like(x)", "randn_like(x[:, :1]).expand_as(x)") + NOISED,
        ],
        "look for a seed that is set again": ["add_noise: torch.manual_seed(0)\n" + AT + NOISED],
        "attributes of the class instead of the object": [
            "statistics of the schedule: self.alphas = 1 - self.betas\n"
            "VarianceScheduler.alpha_bars = self.alphas.cumprod(0)"
        ],
        "look for operations that work in place": ["add_noise: " + AT + NOISED + "self.betas.mul_(0.999)"],
        "the values of x were changed in place": [
            "add_noise: " + AT + "x.mul_(bar.sqrt())\nnoisy_input = x + (1 - bar).sqrt() * noise"
        ],
        "ellipsis": ["add_noise: noisy_input, noise = ..."],
    },
}

for _name in ("DDPM", "DDIM"):
    _label = f"{_name}.forward: "
    PLANTED[f"models.{_name}.forward"] = {
        "the network sees the clean images": [
            _label + TIMES + INPUT + ESTIMATE.replace("noisy_input", "x"),
        ],
        "the network sees pure noise": [_label + TIMES + INPUT + ESTIMATE.replace("noisy_input", "noise")],
        "nothing else may be done to it": [
            _label + TIMES + INPUT + ESTIMATE.replace("noisy_input", "noisy_input.clamp(-1, 1)"),
            _label + TIMES + INPUT + TIMES + ESTIMATE,
            _label + TIMES + INPUT + ESTIMATE.replace("time_step", "time_step * 0"),
        ],
        "compared with the image instead of the noise": [_label + TIMES + INPUT + ESTIMATE + "noise = x"],
        "compared with the noisy image": [_label + TIMES + INPUT + ESTIMATE + "noise = noisy_input"],
        "summed instead of averaged": [
            _label + TIMES + INPUT + ESTIMATE + "return F.mse_loss(estimated_noise, noise, reduction='sum')",
            _label + TIMES + INPUT + ESTIMATE + "return F.l1_loss(estimated_noise, noise, reduction='sum')",
        ],
        "summed over each image": [
            _label + TIMES + INPUT + ESTIMATE + "return ((estimated_noise - noise) ** 2).flatten(1).sum(1).mean()"
        ],
        "the losses of the images are not averaged": [
            _label + TIMES + INPUT + ESTIMATE + "return ((estimated_noise - noise) ** 2).mean((1, 2, 3))"
        ],
        "the square root of the loss is taken": [
            _label + TIMES + INPUT + ESTIMATE + "return F.mse_loss(estimated_noise, noise).sqrt()"
        ],
        "the loss has the wrong sign": [
            _label + TIMES + INPUT + ESTIMATE + "return -F.mse_loss(estimated_noise, noise)"
        ],
        "": [
            _label + TIMES + INPUT + ESTIMATE + "noise = torch.randn_like(x)",
            _label + TIMES + INPUT + ESTIMATE.replace("time_step", "time_step / 1000"),
            _label + TIMES + INPUT + ESTIMATE.replace("time_step", "time_step[:1]"),
            _label + TIMES.replace("randint(0, self.var_scheduler.num_steps", "randint(0, 500") + INPUT + ESTIMATE,
        ],
        "without a gradient": [
            _label + TIMES + INPUT + "with torch.no_grad():\n    " + ESTIMATE,
            _label + TIMES + INPUT + ESTIMATE + "estimated_noise = estimated_noise.detach()",
        ],
        "the network gets the labels": [
            _label + TIMES + INPUT + ESTIMATE.replace(", label)", ")"),
            _label + TIMES + INPUT + ESTIMATE.replace(", label)", ", label * 0)"),
        ],
        "one time for the whole batch": [
            _label + TIMES.replace("(len(x),)", "(1,)") + "time_step = time_step.repeat(len(x))\n" + INPUT + ESTIMATE
        ],
        "the upper end of torch.randint is left out already": [
            _label + TIMES.replace("num_steps", "num_steps - 1") + INPUT + ESTIMATE
        ],
        "the first time, 0, never occurs": [_label + TIMES.replace("(0,", "(1,") + INPUT + ESTIMATE],
        "look for a seed that is set again": [_label + "torch.manual_seed(3)\n" + TIMES + INPUT + ESTIMATE],
        "ellipsis": [_label + "time_step, noisy_input, noise = ...", _label + "estimated_noise = ...\nnoise = x"],
        "forward is not implemented yet": [_label + "raise NotImplementedError"],
    }

PLANTED["models.DDPM.recover_sample"] = {
    hint: ["DDPM.recover_sample: " + body for body in bodies]
    for hint, bodies in {
        "the factor 1 / sqrt(alpha_t) is missing": [COEFFICIENTS + "mean = x - beta / (1 - bar).sqrt() * eps\n" + ADD],
        "this is the final image, not x_{t-1}": [
            COEFFICIENTS + "mean = (x - (1 - bar).sqrt() * eps) / alpha.sqrt()\n" + ADD,
            COEFFICIENTS + "sample = (x - (1 - bar).sqrt() * eps) / bar.sqrt()\n",
        ],
        "divided by 1 - alpha_bar_t without the square root": [
            COEFFICIENTS + "mean = (x - beta / (1 - bar) * eps) / alpha.sqrt()\n" + ADD
        ],
        "the division by sqrt(1 - alpha_bar_t) is missing": [
            COEFFICIENTS + "mean = (x - beta * eps) / alpha.sqrt()\n" + ADD
        ],
        "the noise is added instead of subtracted": [
            COEFFICIENTS + "mean = (x + beta / (1 - bar).sqrt() * eps) / alpha.sqrt()\n" + ADD
        ],
        "the noise is subtracted without its factor": [COEFFICIENTS + "mean = (x - eps) / alpha.sqrt()\n" + ADD],
        "the square root of beta_t is taken": [
            COEFFICIENTS + "mean = (x - beta.sqrt() / (1 - bar).sqrt() * eps) / alpha.sqrt()\n" + ADD
        ],
        "divided by sqrt(alpha_bar_t) instead of sqrt(alpha_t)": [
            COEFFICIENTS + "mean = (x - beta / (1 - bar).sqrt() * eps) / bar.sqrt()\n" + ADD
        ],
        "divided by alpha_t without the square root": [
            COEFFICIENTS + "mean = (x - beta / (1 - bar).sqrt() * eps) / alpha\n" + ADD
        ],
        "multiplied by sqrt(alpha_t) instead of divided": [
            COEFFICIENTS + "mean = (x - beta / (1 - bar).sqrt() * eps) * alpha.sqrt()\n" + ADD
        ],
        "only x_t is divided by sqrt(alpha_t)": [
            COEFFICIENTS + "mean = x / alpha.sqrt() - beta / (1 - bar).sqrt() * eps\n" + ADD
        ],
        "alpha_t is used in the place of alpha_bar_t": [
            COEFFICIENTS + "mean = (x - beta / (1 - alpha).sqrt() * eps) / alpha.sqrt()\n" + ADD
        ],
        "the time is off by one": ["timestep = (timestep - 1).clamp(min=0)\n" + COEFFICIENTS + ADD],
        "x_t comes back without a step": ["sample = noisy_sample"],
        "x_t and the estimated noise have changed places": [
            COEFFICIENTS + "mean = (eps - beta / (1 - bar).sqrt() * x) / alpha.sqrt()\n" + ADD
        ],
        "rand instead of randn": [COEFFICIENTS.replace("randn_like", "rand_like") + ADD],
        "no noise is added": [COEFFICIENTS + "sample = mean\n"],
        "the noise is multiplied by the variance": [COEFFICIENTS + "sigma = beta\n" + ADD],
        "the noise is not scaled": [COEFFICIENTS + "sigma = 1\n" + ADD],
        "the noise has the standard deviation sqrt(1 - alpha_bar_t)": [
            COEFFICIENTS + "sigma = (1 - bar).sqrt()\n" + ADD
        ],
        "draw noise in the shape of the whole batch": [
            COEFFICIENTS.replace("randn_like(x)", "randn_like(x[:1])") + ADD
        ],
        "is clamped": [
            COEFFICIENTS + ADD + "sample = sample.clamp(-1, 1)\n",
            COEFFICIENTS + "mean = mean.clamp(-1, 1)\n" + ADD,
        ],
        "the last step, t = 0, adds no noise": [COEFFICIENTS + "sample = mean + sigma * noise\n"],
        "": [
            COEFFICIENTS.replace("timestep > 0", "timestep > 1") + ADD,  # no noise at t = 1
            COEFFICIENTS + "sample = torch.where(noisy, mean + sigma * noise, x)\n",  # no step at t = 0
            DDIM.replace("previous is None", "True") + JUMP,
            COEFFICIENTS + "x0 = (x - (1 - bar).sqrt() * eps) / bar.sqrt()\nmean = x0.clamp(0, 1)\n" + ADD,
        ],
        "recover_sample is not implemented yet": ["raise NotImplementedError", "sample = ..."],
    }.items()
}
PLANTED["models.DDIM.recover_sample"] = {
    hint: ["DDIM.recover_sample: " + body for body in bodies]
    for hint, bodies in {
        "alpha_bars[-1], the last entry": [
            DDIM + "before = _at(s.alpha_bars, previous, x)\n" + JUMP,
            DDIM + "before = s.alpha_bars[timestep - 20].view(-1, 1, 1, 1)\n" + JUMP,
        ],
        "this is a step of the DDPM": [
            COEFFICIENTS + "sample = mean\n",
            "sample = ancestral_step(self.var_scheduler, noisy_sample, estimated_noise, timestep)\n",
        ],
        "this is the final image": [DDIM + "sample = x0\n", DDIM + "sample = before.sqrt() * x0\n"],
        "x_t comes back, nearly as it was": [
            "sample = noisy_sample",
            DDIM.replace("s.alpha_bars, s.alphas, s.betas", "s.alphas, s.alphas, s.betas").replace(
                "_at(s.alpha_bars, previous", "_at(s.alphas, previous"
            )
            + JUMP,
        ],
        "the part along the estimated noise has the factor of time t": [
            DDIM + "sample = before.sqrt() * x0 + (1 - bar).sqrt() * eps\n"
        ],
        "the part along the estimated noise has the factor 1 - alpha_bar": [
            DDIM + "sample = before.sqrt() * x0 + (1 - before) * eps\n"
        ],
        "the part along the estimated noise is not scaled": [DDIM + "sample = before.sqrt() * x0 + eps\n"],
        "the estimated image is not scaled by sqrt(alpha_bar)": [
            DDIM + "sample = x0 + (1 - before).sqrt() * eps\n",
            DDIM + "sample = bar.sqrt() * x0 + (1 - before).sqrt() * eps\n",
        ],
        "the estimated image is not divided by sqrt(alpha_bar_t)": [DDIM + "x0 = x - (1 - bar).sqrt() * eps\n" + JUMP],
        "the estimated image is divided by alpha_bar_t": [DDIM + "x0 = (x - (1 - bar).sqrt() * eps) / bar\n" + JUMP],
        "the estimated image has a factor without its root": [
            DDIM + "sample = before * x0 + (1 - before).sqrt() * eps\n",
            DDIM + "x0 = (x - (1 - bar).sqrt() * eps) / alpha.sqrt()\n" + JUMP,
        ],
        "subtracted with the factor 1 - alpha_bar_t": [DDIM + "x0 = (x - (1 - bar) * eps) / bar.sqrt()\n" + JUMP],
        "added where it has to be subtracted": [
            DDIM + "x0 = (x + (1 - bar).sqrt() * eps) / bar.sqrt()\n" + JUMP,
            DDIM + "sample = before.sqrt() * x0 - (1 - before).sqrt() * eps\n",
        ],
        "the step goes to a later time": [
            DDIM + "before = _at(s.alpha_bars, (timestep + 1).clamp(max=s.num_steps - 1), x)\n" + JUMP
        ],
        "is clamped": [DDIM + JUMP + "sample = sample.clamp(-1, 1)\n"],
        "noise on top of the mean of the step without noise": [
            DDIM + JUMP + "sample = sample + beta.sqrt() * (timestep > 0).view(-1, 1, 1, 1) * torch.randn_like(x)\n"
        ],
        "the last step, t = 0, adds no noise": [DDIM + JUMP + "sample = sample + 0.01 * torch.randn_like(x)\n"],
        "": [DDIM + "x0 = x0.clamp(0, 1)\n" + JUMP],
        "recover_sample is not implemented yet": ["raise NotImplementedError", "sample = ..."],
    }.items()
}
PLANTED["models.DDPM.generate_sample"] = {
    hint: ["DDPM.generate_sample: " + body for body in bodies]
    for hint, bodies in {
        "the loop runs forward in time": [START + LOOP.replace("reversed(", "(") + STEP],
        "the last step, t = 0, is missing": [START + LOOP.replace("range(", "range(1, ") + STEP],
        "the first step, t = num_steps - 1, is missing": [START + LOOP.replace("num_steps", "num_steps - 1") + STEP],
        "the samples need not be generated one by one": [
            "samples = []\nfor i in range(num_samples):\n"
            "    sample = torch.randn(1, 1, 32, 32, device=device)\n"
            "    for time_step in reversed(range(self.var_scheduler.num_steps)):\n"
            "        timestep = torch.full((1,), time_step, device=device)\n"
            "        estimated_noise = self.network(sample, timestep, labels[i : i + 1])\n"
            "        sample = self.recover_sample(sample, estimated_noise, timestep)\n"
            "    samples.append(sample)\n"
            "sample = torch.cat(samples)\n"
        ],
        "pass labels on as the third argument": [
            START + LOOP + STEP.replace(", labels)", ")"),
            START + LOOP + STEP.replace(", labels)", ", torch.zeros_like(labels))"),
        ],
        "rand instead of randn": [START.replace("randn", "rand") + LOOP + STEP],
        "a start from something else": [START.replace("randn", "zeros") + LOOP + STEP],
        "is clamped in every step": [START + LOOP + STEP + "    sample = sample.clamp(-1, 1)\n"],
        "too much noise in x_t": [START + LOOP + STEP + "    sample = sample + 0.1 * torch.randn_like(sample)\n"],
        "too little noise in x_t": [START + LOOP + STEP.replace("timestep)", "(timestep - 9).clamp(min=0))")],
        "the noise of the start is returned": [START + "start = sample\n" + LOOP + STEP + "sample = start\n"],
        "the images are mapped to [0, 1]": [START + LOOP + STEP + "sample = (sample + 1) / 2\n"],
        "look for a seed that is set again": ["torch.manual_seed(1)\n" + START + LOOP + STEP],
        "samples that share their noise": [
            "sample = torch.randn(1, 1, 32, 32, device=device).repeat(num_samples, 1, 1, 1)\n" + LOOP + STEP
        ],
        "generate_sample is not implemented yet": ["raise NotImplementedError", "sample = ..."],
        "": [
            START + LOOP + STEP + "sample = sample.flatten(1)\n",
            START + LOOP + STEP + "sample = (sample * 127).byte()\n",
            START + LOOP.replace("reversed(range(self.var_scheduler.num_steps))", "range(999, -1, -20)") + STEP,
            START.replace("num_samples", "num_samples + 1") + LOOP + STEP.replace("num_samples", "num_samples + 1"),
            START + "labels = labels.flip(0)\n" + LOOP + STEP,
        ],
        "keep the decorator @torch.no_grad()": [
            START + LOOP + "    torch.set_grad_enabled(True)\n" + STEP + "torch.set_grad_enabled(False)\n"
        ],
    }.items()
}
PLANTED["models.DDIM.generate_sample"] = {
    hint: ["DDIM.generate_sample: " + body for body in bodies]
    for hint, bodies in {
        "the loop runs forward in time": [START + STRIDES.replace("(last, -1, 51)", "(0, last, 51)") + JUMPS],
        "too much noise in x_t": [START + STRIDES + JUMPS + "    sample = sample + 0.1 * torch.randn_like(sample)\n"],
        "too much noise in x_t, halfway": [
            START + STRIDES + "    sample = ancestral_step(self.var_scheduler, sample, estimated_noise, timestep)\n",
        ],
        "is clamped in every step": [START + STRIDES + JUMPS + "    sample = sample.clamp(-1, 1)\n"],
        "a start at t = 500": [START + STRIDES.replace("(last, -1, 51)", "(500, -1, 51)") + JUMPS],
        "rand instead of randn": [START.replace("randn", "rand") + STRIDES + JUMPS],
        "pass labels on as the third argument": [START + STRIDES.replace(", labels)", ", None)") + JUMPS],
        "look for a seed that is set again": ["torch.manual_seed(1)\n" + START + STRIDES + JUMPS],
        "1 steps": [START + STRIDES.replace("51)", "2)") + JUMPS],
        "has to be taken": [START + STRIDES.replace("(last, -1, 51)", "(last, 9, 51)") + JUMPS],
        "generate_sample is not implemented yet": ["raise NotImplementedError", "sample = ..."],
        "": [
            START + STRIDES + JUMPS.replace(", previous", ""),  # steps of one in a loop with strides
            START + STRIDES + JUMPS.replace("timestep, previous", "previous.clamp(min=0), timestep"),
            START + STRIDES + "    sample = estimated_noise\n",
        ],
    }.items()
}
