"""Train the network that tells digits from other marks, and set its threshold on held-out digits.

    python experiments/digit_or_not.py

Digits: MNIST's training images but 5,000, distorted and framed anew, or as they are. Other marks, all synthetic: random
lines and arcs, halves of two digits put together, digits on their side or mirrored, blobs, polygons, noise. No font, no
letter and no test image is used. The threshold lets 0.8% of the 5,000 validation digits into doubt, framed or as they
are, whichever has more.
"""

import json

import numpy as np
import safetensors.torch
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch.nn import functional as F

from saccade.images.config import ImageData, Shape
from saccade.images.digits_apart import Mark, trimmed
from saccade.images.likeness import FACTS, WEIGHTS, build
from saccade.images.mnist_framing import frame_digits, frame_mark
from saccade.images.source import load_images

DOUBTED, EXAMPLES, EPOCHS, BATCH = 0.008, 40_000, 5, 128
SHAPE = Shape(1, 28, 28, 10)
ON_THEIR_SIDE, MIRRORED = (2, 3, 4, 5, 6, 7, 9), (3, 4, 6, 7, 9)


def framed(ink: np.ndarray) -> np.ndarray | None:
    """Frame ink 0 to 255 as MNIST's: uint8 [28, 28]; None if there is almost none."""
    cropped = trimmed(ink.astype(np.float32) / 255)
    return None if cropped is None else (255 * frame_mark(Mark(cropped, None), (28, 28))).byte().numpy()[0]


def strokes(generator: np.random.Generator) -> np.ndarray:
    """Draw one to four lines and arcs, half of them on a grid as a letter's."""
    image, width = Image.new("L", (56, 56)), int(generator.integers(3, 8))
    draw = ImageDraw.Draw(image)
    for _ in range(generator.integers(1, 5)):
        kind = generator.integers(4)
        grid = generator.integers(0, 4, (int(generator.integers(2, 6)), 2)) * 14 + 7
        points = grid + generator.normal(0, 2, grid.shape) if kind else generator.uniform(4, 52, grid.shape)
        if kind < 3:
            draw.line([tuple(map(float, point)) for point in points], fill=255, width=width, joint="curve")
            continue
        (left, top), start = generator.uniform(2, 30, 2), generator.uniform(0, 360)
        box = (left, top, left + generator.uniform(14, 40), top + generator.uniform(14, 40))
        draw.arc(box, start, start + generator.uniform(90, 270), fill=255, width=width)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(0.7)))


def spliced(one: np.ndarray, other: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Put two digits together: left and right halves, upper and lower, one over the other, side by side."""
    kind, made = generator.integers(4), one.copy()
    if kind == 0:
        made[:, 14:] = other[:, 14:]
    elif kind == 1:
        made[14:] = other[14:]
    elif kind == 2:
        made = np.maximum(one, np.roll(other, generator.integers(-6, 7, 2), (0, 1)))
    else:
        made, aside = np.pad(one, ((0, 0), (0, 28))), int(generator.integers(10, 20))
        made[:, aside : aside + 28] = np.maximum(made[:, aside : aside + 28], other)
    return made


def shape(generator: np.random.Generator) -> np.ndarray:
    """Draw noise, blobs, or a polygon, filled or not."""
    kind = generator.integers(4)
    if kind == 0:
        return (generator.random((28, 28)) > generator.uniform(0.3, 0.8)) * 255.0
    if kind == 1:
        rough = Image.fromarray(generator.integers(0, 256, (int(generator.integers(4, 9)),) * 2, np.uint8))
        smooth = np.asarray(rough.resize((56, 56), Image.Resampling.BICUBIC))
        return (smooth > np.quantile(smooth, generator.uniform(0.4, 0.8))) * 255.0
    image = Image.new("L", (56, 56))
    draw = ImageDraw.Draw(image)
    points = [tuple(map(float, point)) for point in generator.uniform(2, 54, (int(generator.integers(3, 9)), 2))]
    if kind == 2:
        draw.polygon(points, fill=255)
    else:
        draw.line([*points, points[0]], fill=255, width=int(generator.integers(3, 8)))
    return np.asarray(image)


def other_mark(digits: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray | None:
    """Make a mark that is no digit; None if this draw may look like one."""
    kind, (i, j) = generator.random(), generator.integers(len(digits), size=2)
    if kind < 0.5:
        found = framed(strokes(generator))
    elif kind < 0.72:
        found = framed(spliced(digits[i], digits[j], generator)) if labels[i] != labels[j] else None
    elif kind < 0.77:
        found = framed(np.rot90(digits[i], 1 + 2 * int(generator.integers(2)))) if labels[i] in ON_THEIR_SIDE else None
    elif kind < 0.82:
        found = framed(digits[i][:, ::-1]) if labels[i] in MIRRORED else None
    else:
        found = framed(shape(generator))
    narrow = found is not None and (found.max(axis=0) > 60).sum() <= 8  # a bar is a one
    return None if narrow else found


def examples(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make digits and other marks, uint8 [N, 28, 28] each."""
    crooked = load_images(ImageData("mnist", validation=5000, distort=0.6), 0)
    plain = load_images(ImageData("mnist", validation=5000, shift=1), 0)
    batches = [crooked.batch(step, 500) for step in range(EXAMPLES // 1000)]
    turned = np.concatenate([(255 * batch.images[:, 0]).byte().numpy() for batch in batches])
    labels = np.concatenate([batch.labels.numpy() for batch in batches])
    upright = np.concatenate([(255 * plain.batch(s, 500).images[:, 0]).byte().numpy() for s in range(len(batches))])
    read = [frame_digits(image, SHAPE, "a digit", apart=False)[0].image for image in upright[::2]]
    digits = [image for image in map(framed, turned) if image is not None]
    digits += [*upright[1::2], *((255 * image[0]).byte().numpy() for image in read)]
    others: list[np.ndarray] = []
    while len(others) < len(digits):
        found = other_mark(turned, labels, generator)
        others += [] if found is None else [found]
    return np.stack(digits), np.stack(others)


def main() -> None:
    """Make the examples, train, set the threshold, write both files."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    digits, others = examples(np.random.default_rng(7))
    images = torch.from_numpy(np.concatenate([digits, others]))[:, None]
    truth = torch.cat([torch.zeros(len(digits)), torch.ones(len(others))])
    network = build()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for epoch in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(BATCH)[: steps // EPOCHS]:
            loss = F.binary_cross_entropy_with_logits(network(images[chosen].float() / 255)[:, 0], truth[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}, loss {loss.item():.3f}", flush=True)
    held = load_images(ImageData(dataset="mnist", validation=5000), 0).held_out("validation").images
    levels = (255 * held[:, 0]).byte().numpy()
    read = torch.stack([frame_digits(image, SHAPE, "a digit", apart=False)[0].image for image in levels])
    with torch.no_grad():
        as_is, anew = network(held)[:, 0], network(read)[:, 0]
    threshold = max(float(scores.quantile(1 - DOUBTED)) for scores in (as_is, anew))
    safetensors.torch.save_file(network.state_dict(), WEIGHTS)
    facts = {
        "threshold": round(threshold, 4),
        "validation_images": len(held),
        "validation_doubted_percent": 100 * (as_is > threshold).double().mean().item(),
        "validation_framed_doubted_percent": 100 * (anew > threshold).double().mean().item(),
        "command": "python experiments/digit_or_not.py",
    }
    FACTS.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(facts)


if __name__ == "__main__":
    main()
