"""The annotated shapes of the systems' models are enforced in tests: a wrong one stops where it enters."""

from collections.abc import Callable

import jaxtyping
import pytest
import torch

from saccade.adding.config import Config as AddingConfig
from saccade.adding.model import Adder
from saccade.baseline.config import Config as BaselineConfig
from saccade.baseline.model import OneLook
from saccade.draw.config import Config as DrawConfig
from saccade.draw.loss import divergence
from saccade.draw.model import Context, Draw
from saccade.draw.windows import WholeWriter
from saccade.gaze.sensor import Retina
from saccade.glimpse.config import Config as GlimpseConfig
from saccade.glimpse.model import RAM
from saccade.glimpse.reward import rewards
from saccade.images.canvas import place
from saccade.images.config import Shape

SHAPE = Shape(1, 12, 12, 3)
IMAGES = torch.rand(2, 1, 12, 12)


def draw_step(noise: torch.Tensor) -> object:
    core = Draw(DrawConfig(hidden=8, latent=4), SHAPE)
    return core(noise, core.initial_state(2), core.prepare(Context(IMAGES, torch.zeros(2, dtype=torch.int64))))


WRONG: dict[str, Callable[[], object]] = {
    "images without channels": lambda: RAM(GlimpseConfig(hidden=8, features=4), SHAPE).prepare(IMAGES[:, 0]),
    "a location of whole numbers": lambda: Retina(4, 1, 1, 12, 12)(
        Retina(4, 1, 1, 12, 12).prepare(IMAGES), torch.zeros(2, 2, dtype=torch.int64)
    ),
    "targets of another batch": lambda: rewards(torch.rand(2, 3), torch.zeros(2), GlimpseConfig()),
    "noise with an axis more": lambda: draw_step(torch.zeros(1, 2, 4)),
    "latents of two sizes": lambda: divergence(torch.zeros(2, 4), torch.zeros(2, 3)),
    "a hidden state with an axis more": lambda: WholeWriter(8, SHAPE)(torch.zeros(1, 2, 8)),
    "inputs without marks": lambda: Adder(AddingConfig()).forward(torch.zeros(2, 1), (), None),
    "an image without a batch": lambda: OneLook(BaselineConfig(), SHAPE)(torch.zeros(2, 0), (), IMAGES[0]),
    "positions of another batch": lambda: place(
        IMAGES, torch.zeros(3, dtype=torch.int64), torch.zeros(2).long(), 20, 20
    ),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_shape_or_type_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        call()
