"""The verbs of `saccade sketch`. Torch-free until one runs."""

from saccade.terminal.verbs import eval_command, gif_command, train_command

SYSTEM = "sketch"

VERBS = {"train": train_command(SYSTEM), "eval": eval_command(SYSTEM), "gif": gif_command(SYSTEM)}
