"""Small photographs with captions in every layout, and an encoder without weights from a package."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from saccade.caption.encoder import Encoder

COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 220)}


class Averages(nn.Module):
    """The mean colour of each of 2 x 2 places, in 3 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward_features(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images, 2) * self.weight


def averages(fingerprint: str = "0123456789abcdef") -> Encoder:
    return Encoder("efficientnet-lite2", Averages(), fingerprint)


def photograph(file: Path, seed: int) -> str:
    """Draw a picture of one colour; return its caption."""
    random = np.random.default_rng(seed)
    name = list(COLOURS)[seed % 3]
    pixels = np.clip(random.normal(COLOURS[name], 10, (40, 60, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file)
    return name


def flickr8k(folder: Path, train: int = 12, held_out: int = 3) -> Path:
    """Write Flickr8k's layout with two captions a picture."""
    (folder / "images").mkdir(parents=True)
    captions, names = [], []
    for i in range(train + 2 * held_out):
        colour = photograph(folder / "images" / f"{i}.png", i)
        names.append(f"{i}.png")
        captions += [f"{i}.png#0\tA {colour} picture .", f"{i}.png#1\tThe picture is {colour} , all {colour}"]
    (folder / "captions.txt").write_text("\n".join(captions) + "\n")
    parts = {"train": names[:train], "dev": names[train : train + held_out], "test": names[train + held_out :]}
    for part, listed in parts.items():
        (folder / f"{part}.txt").write_text("\n".join(listed) + "\n")
    return folder


def karpathy(folder: Path) -> Path:
    """Write Karpathy's JSON."""
    (folder / "images").mkdir(parents=True)
    entries = []
    for i, split in enumerate(["train", "restval", "train", "val", "test"]):
        colour = photograph(folder / "images" / f"{i}.png", i)
        entries.append({"filename": f"{i}.png", "split": split, "sentences": [{"raw": f"A {colour} picture."}]})
    file = folder / "dataset.json"
    file.write_text(json.dumps({"images": entries}))
    return file


def csv_folder(folder: Path, count: int = 20) -> Path:
    """Write a folder with a captions.csv."""
    folder.mkdir(parents=True)
    lines = ["image,caption"]
    for i in range(count):
        colour = photograph(folder / f"{i}.png", i)
        lines += [f'{i}.png,"A {colour}, plain picture"', f"{i}.png,{colour} all over"]
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder
