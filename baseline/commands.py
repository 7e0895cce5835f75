"""The verbs of `saccade baseline`. Torch-free until one runs."""

from baseline.config import Config
from recurrent.commands import eval_command, train_command

HELP = "Networks that see the whole image at once, for comparison."

VERBS = {"train": train_command("baseline", Config), "eval": eval_command("baseline")}
