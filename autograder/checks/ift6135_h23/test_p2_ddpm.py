"""Part 2: the DDPM, with the checks that several assignments share."""

from autograder.checks.svhn.test_ddpm import *
from autograder.checks.svhn.test_ddpm_coefficients import *
from autograder.checks.svhn.test_ddpm_known_results import *
from autograder.checks.svhn.test_ddpm_sampling import *
