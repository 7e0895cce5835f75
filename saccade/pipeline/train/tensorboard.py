"""TensorBoard: the log's scalars and pictures of the network at work, in a folder of their own."""

from pathlib import Path
from typing import Any

import numpy as np

from saccade.errors import InputError
from saccade.pipeline.train.loop import Progress


class Board:
    """Writes for TensorBoard; `tensorboard --logdir FOLDER` shows it.

    Raises:
        InputError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            do = "install it (pip install tensorboard), or leave --tensorboard out"
            raise InputError("the package tensorboard", "none", do) from None
        self.writer: Any = SummaryWriter(str(folder), purge_step=step)

    def scalars(self, event: Progress) -> None:
        """Log the loss, its terms, health, learning rate and speed."""
        values = {
            "loss": event.loss,
            "learning_rate": event.learning_rate,
            "examples_per_second": event.examples_per_second,
        }
        values |= {f"loss/{name}": value for name, value in event.terms.items()}
        values |= {f"health/{name}": value for name, value in event.health.items()}
        for name, value in values.items():
            self.writer.add_scalar(name, value, event.step)

    def picture(self, name: str, pixels: np.ndarray, step: int) -> None:
        """Log one picture, uint8 [H, W, 3]."""
        self.writer.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is still held back."""
        self.writer.close()
