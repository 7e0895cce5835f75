"""Reading and writing (Gregor et al. 2015, section 3): through a window of Gaussian filters, or the whole image.

The decoder's output places the window. The window's parameters are computed in full precision under autocast, and are
bounded so that no output of a network gives an infinity: the bounds lie far beyond the values in training.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.recurrent.gaussian_window import Window, filterbanks, from_draw, read_through, write_window
from saccade.recurrent.shared_weights import affine

FARTHEST = 8.0
"""Largest |g~|: a window so far outside the image reads and writes only its border."""

LARGEST_LOG = 8.0
"""Largest magnitude of log sigma^2, log delta~ and log gamma."""

READ_BEGINS = (0.0, 0.0, 0.5, -2.1, 2.4)
WRITE_BEGINS = (0.0, 0.0, 0.6, -1.5, -1.2)
"""Initial biases (g~_X, g~_Y, log sigma^2, log delta~, log gamma), near those of trained networks. With biases of 0 the
window spans the whole image and samples its corners; learning then stalls."""

RECTANGLE = 6
"""Numbers that describe a window in a trace: (x, y, half-width, half-height) in image coordinates, sigma in pixels,
intensity gamma."""


class WindowParameters(NamedTuple):
    """A window and its intensity."""

    window: Window
    gamma: Float[Tensor, " B"]


class Attention(nn.Module):
    """The decoder's output as a window of N x N filters on an image of A x B pixels: equations 21 to 24."""

    def __init__(self, hidden: int, count: int, shape: Shape, begins: tuple[float, ...]) -> None:
        super().__init__()
        if count > min(shape.height, shape.width):
            largest = f"{shape.width} x {shape.height} pixels"
            raise InputError(f"a window no larger than the image, {largest}", f"{count} filters", "choose fewer")
        self.count, self.width, self.height = count, shape.width, shape.height
        self.linear = nn.Linear(hidden, 5)
        with torch.no_grad():
            self.linear.bias.copy_(torch.tensor(begins))

    def forward(self, h: Float[Tensor, "B H"]) -> WindowParameters:
        with torch.autocast(h.device.type, enabled=False):
            return self.window(affine((h,), (self.linear.weight,), (self.linear.bias,)))  # equation 21

    def window(self, raw: Float[Tensor, "B 5"]) -> WindowParameters:
        """Convert (g~_X, g~_Y, log sigma^2, log delta~, log gamma) to a window."""
        g = raw[:, :2].clamp(-FARTHEST, FARTHEST)
        log_variance, log_stride, log_gamma = raw[:, 2:].clamp(-LARGEST_LOG, LARGEST_LOG).unbind(1)
        x, y = from_draw(g[:, 0], self.width), from_draw(g[:, 1], self.height)  # equations 22, 23
        span = (max(self.width, self.height) - 1) / max(self.count - 1, 1)  # one filter needs no stride
        window = Window(x, y, stride=span * log_stride.exp(), sigma=(log_variance / 2).exp())  # equation 24
        return WindowParameters(window, log_gamma.exp())

    def rectangle(self, parameters: WindowParameters) -> Float[Tensor, "B 6"]:
        """Describe a window for the trace: each of its N x N filters is drawn as a square of one stride."""
        x, y, stride, sigma = (part.detach() for part in parameters.window)
        half = self.count * stride
        return torch.stack([x, y, half / self.width, half / self.height, sigma, parameters.gamma.detach()], dim=1)


def whole_image(like: Float[Tensor, "B H"]) -> Float[Tensor, "B 6"]:
    """Return the rectangle of a network without attention."""
    return like.new_tensor((0.0, 0.0, 1.0, 1.0, 0.0, 1.0), dtype=torch.float32).expand(len(like), RECTANGLE)


class WholeReader(nn.Module):
    """Reading without attention, equation 17: [x, x^]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.features = 2 * shape.channels * shape.height * shape.width

    def forward(
        self, x: Float[Tensor, "B C H W"], error: Float[Tensor, "B C H W"], h: Float[Tensor, "B hidden"]
    ) -> tuple[Float[Tensor, "B features"], Float[Tensor, "B 6"]]:
        """Read the image x and the error image x^; return r and the rectangle read."""
        return torch.cat([x, error], dim=1).flatten(1), whole_image(h)


class WindowReader(nn.Module):
    """Reading with attention, equation 27: gamma [F_Y x F_X^T, F_Y x^ F_X^T]."""

    def __init__(self, hidden: int, count: int, shape: Shape) -> None:
        super().__init__()
        self.attention = Attention(hidden, count, shape, READ_BEGINS)
        self.features = 2 * shape.channels * count**2

    def forward(
        self, x: Float[Tensor, "B C H W"], error: Float[Tensor, "B C H W"], h: Float[Tensor, "B hidden"]
    ) -> tuple[Float[Tensor, "B features"], Float[Tensor, "B 6"]]:
        """Read the image x and the error image x^; return r and the rectangle read."""
        with torch.autocast(h.device.type, enabled=False):
            window, gamma = parameters = self.attention(h)
            filters = filterbanks(window, self.attention.count, *x.shape[-2:])
            both = read_through(filters, x, error).flatten(1)
            return gamma[:, None] * both, self.attention.rectangle(parameters)


class WholeWriter(nn.Module):
    """Writing without attention, equation 18: W(h_dec)."""

    def __init__(self, hidden: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.patch = nn.Linear(hidden, shape.channels * shape.height * shape.width)

    def forward(self, h: Float[Tensor, "B hidden"]) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B 6"]]:
        """Return the sum to add to the canvas, and the rectangle written."""
        written = affine((h,), (self.patch.weight,), (self.patch.bias,)).to(h.dtype)  # h keeps full precision
        return written.view(-1, *self.shape[:3]), whole_image(h)


class WindowWriter(nn.Module):
    """Writing with attention, equations 28 and 29: F_Y^T w F_X / gamma."""

    def __init__(self, hidden: int, count: int, shape: Shape) -> None:
        super().__init__()
        self.attention = Attention(hidden, count, shape, WRITE_BEGINS)
        self.shape = shape
        self.patch = nn.Linear(hidden, shape.channels * count**2)

    def forward(self, h: Float[Tensor, "B hidden"]) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B 6"]]:
        """Return the sum to add to the canvas, and the rectangle written."""
        count, (channels, height, width) = self.attention.count, self.shape[:3]
        with torch.autocast(h.device.type, enabled=False):
            w = affine((h,), (self.patch.weight,), (self.patch.bias,))  # equation 28
            window, gamma = parameters = self.attention(h)
            patch = (w / gamma[:, None]).view(-1, channels, count, count)
            return write_window(patch, window, height, width), self.attention.rectangle(parameters)
