"""The verbs of `saccade baseline`. Torch-free until one runs."""

from saccade.baseline.config import Config
from saccade.terminal.verbs import eval_command, train_command

HELP = "Networks that see the whole image at once, for comparison."

VERBS = {"train": train_command("baseline", Config), "eval": eval_command("baseline")}
