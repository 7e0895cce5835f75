"""The tracker written down equation by equation with torch's own modules in fp32: the reference for its speed.

Nothing is hand-written for speed: autograd differentiates the filterbanks, transforms are of complex numbers, and every
step computes each correlation filter from its equation. With equal weights it gives what `Tracker` gives.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.track.appearance import LABEL_WIDTH
from saccade.track.config import Config
from saccade.track.model import FAR, LARGE, SCALES, Tracker


def filterbank(centre: Tensor, stride: Tensor, sigma: Tensor, count: int, size: int) -> Tensor:
    offsets = torch.arange(count) - (count - 1) / 2
    mean = ((centre + 1) * size / 2 - 0.5)[:, None] + offsets * stride[:, None]
    distance = torch.arange(size) - mean[:, :, None]
    filters = torch.exp(-(distance**2) / (2 * sigma[:, None, None] ** 2))
    return filters / (filters.sum(2, keepdim=True) + 1e-8)


def read(frames: Tensor, centre: Tensor, stride: Tensor, sigma: Tensor, count: int) -> Tensor:
    images = frames.float() / 255
    x = filterbank(centre[:, 0], stride[:, 0], sigma[:, 0], count, images.shape[3])[:, None]
    y = filterbank(centre[:, 1], stride[:, 1], sigma[:, 1], count, images.shape[2])[:, None]
    return y @ images @ x.transpose(2, 3)


class LiteralTracker(nn.Module):
    """The tracker with a GRU core; parameters as `Tracker`'s, from which `like` copies them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.first, self.second = nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, config.features, 3, padding=1)
        self.sharpen, self.merge = nn.Conv2d(4, 8, 3, padding=1), nn.Linear(8, 1)
        self.log_ridge, self.gains = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(4))
        self.scale_gain, self.focus = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.core, self.steer = nn.GRUCell(25, config.hidden), nn.Linear(config.hidden, 9)

    @staticmethod
    def like(core: Tracker) -> "LiteralTracker":
        made = LiteralTracker(core.config)
        renamed = {
            name.removeprefix("features.").replace("core.cell.", "core."): p for name, p in core.named_parameters()
        }
        made.load_state_dict({name: p.detach().clone() for name, p in renamed.items()})
        return made

    def features(self, patch: Tensor) -> Tensor:
        colour = patch.expand(-1, 3, -1, -1)
        mean = colour.mean((1, 2, 3), keepdim=True)
        deviation = ((colour - mean) ** 2).mean((1, 2, 3), keepdim=True).add(1e-4).sqrt()
        found = self.second(torch.relu(self.first((colour - mean) / deviation)))
        found = F.layer_norm(found.permute(0, 2, 3, 1), found.shape[1:2]).permute(0, 3, 1, 2)
        hann = torch.hann_window(self.config.window + 2, periodic=False)[1:-1]
        return torch.fft.fft2(found * hann[:, None] * hann, norm="ortho")

    def learn(self, features: Tensor, peak: Tensor) -> tuple[Tensor, Tensor]:
        cells = torch.arange(self.config.window)
        bumps = torch.exp(-0.5 * ((cells - peak[:, :, None]) / LABEL_WIDTH) ** 2)
        wanted = torch.fft.fft2(bumps[:, 1, :, None] * bumps[:, 0, None, :], norm="ortho")
        return wanted.conj()[:, None] * features, (features.conj() * features).sum(1).real

    def respond(self, numerator: Tensor, power: Tensor, features: Tensor) -> Tensor:
        filters = numerator / (power + self.log_ridge.exp())[:, None]
        return torch.fft.ifft2((filters.conj() * features).sum(1), norm="ortho").real

    def forward(self, frames: Tensor, box: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Follow the box [B, 4] through frames [T, B, C, H, W]; boxes, windows, places, confidences [T - 1, B, ...]."""
        config, count = self.config, self.config.window
        size = torch.tensor([float(frames.shape[4]), float(frames.shape[3])])
        batch, middle = len(box), torch.full((len(box), 2), (count - 1) / 2)

        def stride_of(extent: Tensor) -> Tensor:
            sides = extent * size
            return (sides + (config.reach - 1) * sides.mean(1, keepdim=True)) / count

        firsts = []
        for scale in SCALES:
            stride = stride_of(box[:, 2:] / scale)
            firsts.append(self.learn(self.features(read(frames[0], box[:, :2], stride, 0.5 * stride, count)), middle))
        h, moved, grown = torch.zeros(batch, config.hidden), torch.zeros(batch, 2), torch.zeros(batch)
        width, keep = torch.full((batch,), 0.5), torch.ones(batch)
        seen = (torch.zeros_like(firsts[0][0]), torch.zeros_like(firsts[0][1]))
        cells, found = torch.arange(count) - (count - 1) / 2, []
        for frame in frames[1:]:
            centre, extent = box[:, :2] + moved, box[:, 2:] * grown.exp()[:, None]
            stride = stride_of(extent)
            z = self.features(read(frame, centre, stride, stride * width[:, None], count))
            wide = keep[:, None, None]
            running = (firsts[1][0] * wide[..., None] + seen[0], firsts[1][1] * wide + seen[1])
            maps = torch.stack([self.respond(*each, z) for each in (*firsts, running)], dim=1)
            sharp = torch.relu(self.sharpen(maps))
            logits = self.merge(sharp.permute(0, 2, 3, 1))[..., 0] + (maps * self.gains[:, None, None]).sum(1)
            place = torch.log_softmax(logits.flatten(1), dim=1).view(batch, count, count)
            probability = place.exp()
            focused = torch.softmax(self.focus * place.flatten(1), dim=1).view(batch, count, count)
            offset = torch.stack([focused.sum(1) @ cells, focused.sum(2) @ cells], dim=1)
            peaks = maps.flatten(2).amax(2)
            growth = torch.softmax(self.scale_gain * peaks[:, :3], dim=1) @ torch.tensor(SCALES).log()
            spread = -(probability * place).sum((1, 2)) / math.log(count**2)
            coarse = probability.view(batch, 4, count // 4, 4, count // 4).sum((2, 4)).flatten(1)
            numbers = torch.stack([spread, probability.flatten(1).amax(1), 10 * growth], dim=1)
            h = self.core(torch.cat([coarse, peaks, offset / (count / 4), numbers], dim=1), h)
            steering = self.steer(h)
            gate = config.memory * torch.sigmoid(steering[:, 0])
            unit = stride * 2 / size
            offset = offset + torch.tanh(steering[:, 6:8])
            answer = (centre + offset * unit).clamp(-FAR, FAR)
            grown = grown + growth * torch.sigmoid(steering[:, 8]) + 0.03 * torch.tanh(steering[:, 2])
            grown = grown.clamp(-LARGE, LARGE)
            now, new = self.learn(z, offset + (count - 1) / 2), gate[:, None, None]
            seen = ((1 - new[..., None]) * seen[0] + new[..., None] * now[0], (1 - new) * seen[1] + new * now[1])
            keep = keep * (1 - gate)
            moved = answer + 2 * torch.tanh(steering[:, 4:6]) * unit - box[:, :2]
            width = 0.3 + 0.4 * torch.sigmoid(steering[:, 3])
            whole = torch.cat([answer, box[:, 2:] * grown.exp()[:, None]], dim=1)
            found.append((whole, torch.cat([centre, count / 2 * unit], dim=1), place, steering[:, 1]))
        boxes, windows, places, sure = (torch.stack(leaves) for leaves in zip(*found, strict=True))
        return boxes, windows, places, sure
