"""The small CNN that looks at scenes, trained together with the decoder."""

from typing import cast

from jaxtyping import Float, UInt8
from torch import Tensor, nn

BRIGHTNESS = 3.0
"""Value of a white pixel: most are black, so that the variance is near 1/2."""


class SceneEncoder(nn.Module):
    """Four convolutions, three of stride 2: pixels uint8 [B, 1, S, S] to vectors [B, L, D], places row by row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width // 4, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(width // 4, width // 2, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):  # of equal variance through the layers, from pixels that are mostly 0
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, pixels: UInt8[Tensor, "B 1 S S"]) -> Float[Tensor, "B L D"]:
        weight = next(self.parameters())
        return self.layers(pixels.to(weight.dtype) * (BRIGHTNESS / 255)).flatten(2).transpose(1, 2)
