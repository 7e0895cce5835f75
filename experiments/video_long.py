"""Predict frames 11 to 50 of Moving MNIST, and compare the squared error with oracles that know the digits.

    python experiments/video_long.py RUN [SEQUENCES]

The oracles know each digit's picture, and its true place and velocity at frame 10. One goes straight on; the other also
knows the edges, so that its error is 0 by construction and is not shown. Prints one JSON object.
"""

import json
import sys
from dataclasses import replace

import torch

from saccade.pipeline.data.seeded_random import integers
from saccade.pipeline.trained import open_trained
from saccade.videos.load import load_videos
from saccade.videos.moving import GLYPH, ROOM, SIDE, load_pool, moved, painted, starts

PREDICTED = 40
PURPOSE = "moving: test"


def straight_on(data, count: int) -> torch.Tensor:
    """Return the frames [count, PREDICTED, 1, H, W] of digits that go straight on after the last given frame."""
    pool = load_pool(data)[1]
    glyphs = pool[integers(0, f"{PURPOSE}: digits", 0, count, [len(pool)] * data.objects)]
    places, velocities = starts(0, PURPOSE, 0, count * data.objects)
    for _ in range(data.given):
        places, velocities = moved(places, velocities)
    ahead = torch.arange(1, PREDICTED + 1)[:, None, None]
    corners = (ROOM * (places + ahead * velocities)).floor().long().view(PREDICTED, count, data.objects, 2)
    corners = corners.transpose(0, 1).clamp(-GLYPH, SIDE)  # beyond them a digit is out of sight
    wide = painted(glyphs, corners + GLYPH, SIDE + 2 * GLYPH, SIDE + 2 * GLYPH)
    return wide[..., GLYPH:-GLYPH, GLYPH:-GLYPH]


def main() -> None:
    """Print the squared errors a frame of the network and of the oracle, by ten frames."""
    network = open_trained(sys.argv[1], "video")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    data = replace(network.run.data, predicted=PREDICTED, held_out=count)
    sequences = load_videos(data, "next", 0).held_out("test")
    frames = network.look(sequences).outputs.frame[data.given :].transpose(0, 1).clamp(0, 1).float()
    truth = sequences.frames[:, data.given :].float() / 255
    oracle = straight_on(data, count).float() / 255
    result = {"sequences": count}
    for name, guess in (("network", frames), ("constant_velocity", oracle), ("blank", torch.zeros_like(truth))):
        errors = (guess - truth).square().flatten(2).sum(2).mean(0)
        result[name] = [round(part.mean().item(), 2) for part in errors.split(10)]
        result[f"{name}_mean"] = round(errors.mean().item(), 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
