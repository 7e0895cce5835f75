"""A step of DRAM in NumPy, equation by equation (Ba et al. 2015, section 3), with the torch model's weights."""

from typing import NamedTuple

import numpy as np
from scipy.signal import correlate

from saccade.dram.config import Config
from tests.glimpse.transcription import Array, Weights, core, glimpse_network, linear, rectify, retina


class Steps(NamedTuple):
    """All that an unroll computes, [T, B, ...]."""

    location: Array
    patches: Array
    mean: Array
    logits: Array
    top: Array


def convolution(weights: Weights, name: str, x: Array, stride: int = 1) -> Array:
    """Convolve [B, C, H, W] with zeros around, pixel by pixel in effect."""
    kernels, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    pad = kernels.shape[2] // 2
    wide = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    planes = [
        [
            sum(correlate(image[c], kernel[c], mode="valid") for c in range(len(image))) + b
            for kernel, b in zip(kernels, bias, strict=True)
        ]
        for image in wide
    ]
    return np.array(planes)[:, :, ::stride, ::stride]


def context_network(weights: Weights, images: Array, side: int) -> Array:
    """C(I_coarse | W_c): a coarse picture with its places as channels, convolutions, key points, a linear layer."""
    batch, channels, height, _ = images.shape
    ratio = height // side
    coarse = images.reshape(batch, channels, side, ratio, side, ratio).mean((3, 5))
    middle = (2 * np.arange(side) + 1) / side - 1
    places = np.stack(np.meshgrid(middle, middle))  # x, then y
    seen = np.concatenate([coarse, np.broadcast_to(places, (batch, *places.shape))], axis=1)
    seen = rectify(convolution(weights, "glance.first", seen, stride=2))
    seen = rectify(convolution(weights, "glance.second", seen))
    maps = convolution(weights, "glance.maps", seen).reshape(batch, -1, seen.shape[2] ** 2)
    weight = np.exp(maps - maps.max(2, keepdims=True))
    weight /= weight.sum(2, keepdims=True)
    half = seen.shape[2]
    middle = (2 * np.arange(half) + 1) / half - 1
    grid = np.stack(np.meshgrid(middle, middle)).reshape(2, -1)
    points = (weight @ grid.T).reshape(batch, -1)
    pooled = seen.reshape(batch, -1, half // 2, 2, half // 2, 2).mean((3, 5)).reshape(batch, -1)
    return np.tanh(linear(weights, "glance.points", points) + linear(weights, "glance.out", pooled))


def unrolled(weights: Weights, config: Config, images: Array, noise: Array, std: Array) -> Steps:
    """Read pictures [B, C, H, W] by the policy's samples; noise [T, B, 2], std [T, B]."""
    steps, batch = noise.shape[:2]
    location = np.zeros((batch, 2))
    cells = 2 if config.core == "lstm" else 1
    r1 = (np.zeros((batch, config.hidden)),) * cells
    r2 = (context_network(weights, images, config.glance), np.zeros((batch, config.upper)))[
        :cells
    ]  # r2_0 = C(I_coarse)
    found: list[tuple[Array, ...]] = []
    for n in range(steps):
        move = np.tanh(config.policy_gain * r2[0] @ weights["emission.weight"].T + weights["emission.bias"])
        mean = location + move if config.action == "move" else move  # l_n = E(r2_{n-1})
        before, location = location, (mean + std[n][:, None] * noise[n]).clip(-1, 1)
        patches = np.stack(
            [retina(image, at, config.patch, config.scales) for image, at in zip(images, location, strict=True)]
        )
        where = location - before if config.action == "move" else location
        g = glimpse_network(weights, patches, where)  # g_n = G(x_n, l_n)
        r1 = core(weights, "lower.cell", config.core, g, r1)  # r1_n = R(g_n, r1_{n-1})
        clock = np.zeros((batch, config.glimpses))
        clock[:, n % config.glimpses] = 1
        told = np.concatenate([r1[0], location, clock], axis=1) if config.place_told else r1[0]
        r2 = core(weights, "upper.cell", config.core, told, r2)  # r2_n = R(r1_n, r2_{n-1})
        found.append((location, patches, mean, linear(weights, "classifier", r1[0]), r2[0]))
    return Steps(*(np.stack(leaves) for leaves in zip(*found, strict=True)))
