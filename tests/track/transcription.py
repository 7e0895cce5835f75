"""The tracker's equations, one example at a time, in NumPy and float64: what the tests compare the network with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.track.appearance import LABEL_WIDTH
from saccade.track.model import FAR, LARGE, SCALES, Tracker

Array = NDArray[Any]


def weights_of(core: Tracker) -> dict[str, Array]:
    return {name: value.detach().double().numpy() for name, value in core.named_parameters()}


def filterbank(centre: float, stride: float, sigma: float, count: int, size: int) -> Array:
    """DRAW, equations 19 and 25, on one axis, in pixels from 0; each filter sums to 1."""
    mean = (centre + 1) * size / 2 - 0.5 + (np.arange(count) - (count - 1) / 2) * stride
    filters = np.exp(-((np.arange(size)[None] - mean[:, None]) ** 2) / (2 * sigma**2))
    return filters / filters.sum(axis=1, keepdims=True)


def read(frame: Array, centre: Array, stride: Array, sigma: Array, count: int) -> Array:
    """DRAW, equation 27: F_Y x F_X^T of a frame uint8 [C, H, W]."""
    height, width = frame.shape[1:]
    x = filterbank(centre[0], stride[0], sigma[0], count, width)
    y = filterbank(centre[1], stride[1], sigma[1], count, height)
    return np.stack([y @ channel @ x.T for channel in frame.astype(np.float64) / 255])


def stride_around(extent: Array, size: Array, reach: float, count: int) -> Array:
    sides = extent * size
    return (sides + (reach - 1) * sides.mean()) / count


def convolve(images: Array, weight: Array, bias: Array) -> Array:
    """A convolution with zero padding that keeps the size: [I, N, N] to [O, N, N]."""
    out, _, side, _ = weight.shape
    pad, count = side // 2, images.shape[1]
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad)))
    result = np.zeros((out, count, count))
    for row in range(side):
        for column in range(side):
            part = padded[:, row : row + count, column : column + count]
            result += np.einsum("oi,iyx->oyx", weight[:, :, row, column], part)
    return result + bias[:, None, None]


def features(patch: Array, w: dict[str, Array], prefix: str = "features.") -> Array:
    """Two convolutions, normalised over the channels at each place, tapered, transformed: [F, N, N] complex."""
    colour = np.repeat(patch, 3, axis=0) if len(patch) == 1 else patch
    normal = (colour - colour.mean()) / np.sqrt(colour.var() + 1e-4)
    seen = np.maximum(convolve(normal, w[f"{prefix}first.weight"], w[f"{prefix}first.bias"]), 0)
    found = convolve(seen, w[f"{prefix}second.weight"], w[f"{prefix}second.bias"])
    found = (found - found.mean(0)) / np.sqrt(found.var(0) + 1e-5)
    count = patch.shape[1]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, count + 1) / (count + 1))
    return np.fft.fft2(found * hann[:, None] * hann) / count


def label(peak: Array, count: int) -> Array:
    x, y = (np.exp(-0.5 * ((np.arange(count) - p) / LABEL_WIDTH) ** 2) for p in peak)
    return np.fft.fft2(y[:, None] * x) / count


def learn(transformed: Array, peak: Array) -> tuple[Array, Array]:
    """Bolme et al. 2010, equation 5; Danelljan et al. 2014, equation 4."""
    wanted = label(peak, transformed.shape[1])
    return wanted.conj() * transformed, (transformed * transformed.conj()).sum(0).real


def respond(filters: tuple[Array, Array], transformed: Array, ridge: float) -> Array:
    """Danelljan et al. 2014, equation 6."""
    numerator, power = filters
    count = transformed.shape[1]
    return (np.fft.ifft2((numerator.conj() * transformed).sum(0) / (power + ridge)) * count).real


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    shifted = np.exp(x - x.max())
    return shifted / shifted.sum()


def gru(x: Array, h: Array, w: dict[str, Array]) -> Array:
    gates = [
        w["core.cell.weight_ih"] @ x + w["core.cell.bias_ih"],
        w["core.cell.weight_hh"] @ h + w["core.cell.bias_hh"],
    ]
    (r_i, z_i, n_i), (r_h, z_h, n_h) = (np.split(gate, 3) for gate in gates)
    z = sigmoid(z_i + z_h)
    return (1 - z) * np.tanh(n_i + sigmoid(r_i + r_h) * n_h) + z * h


def track(core: Tracker, frames: Array, box: Array) -> list[dict[str, Array]]:
    """Follow the box of the first frame through frames uint8 [T, C, H, W], in the order of the equations."""
    w, config = weights_of(core), core.config
    count, size = config.window, np.array([frames.shape[3], frames.shape[2]], np.float64)
    middle, ridge = np.full(2, (count - 1) / 2), float(np.exp(w["log_ridge"]))
    firsts = []
    for scale in SCALES:
        stride = stride_around(box[2:] / scale, size, config.reach, count)
        firsts.append(learn(features(read(frames[0], box[:2], stride, 0.5 * stride, count), w), middle))
    h, moved, grown, width, keep = np.zeros(config.hidden), np.zeros(2), 0.0, 0.5, 1.0
    seen: tuple[Array, Array] = (np.zeros_like(firsts[0][0]), np.zeros_like(firsts[0][1]))
    cells, found = np.arange(count) - (count - 1) / 2, []
    for frame in frames[1:]:
        centre, extent = box[:2] + moved, box[2:] * np.exp(grown)
        stride = stride_around(extent, size, config.reach, count)
        patch = read(frame, centre, stride, stride * width, count)
        z = features(patch, w)
        running = (firsts[1][0] * keep + seen[0], firsts[1][1] * keep + seen[1])
        maps = np.stack([respond(each, z, ridge) for each in (*firsts, running)])
        sharp = np.maximum(convolve(maps, w["sharpen.weight"], w["sharpen.bias"]), 0)
        merged = np.einsum("oc,cyx->oyx", w["merge.weight"], sharp) + w["merge.bias"]
        logits = merged[0] + (maps * w["gains"][:, None, None]).sum(0)
        place = np.log(softmax(logits))
        probability = np.exp(place)
        focused = softmax(w["focus"] * place)
        offset = np.array([focused.sum(0) @ cells, focused.sum(1) @ cells])
        peaks = maps.max((1, 2))
        growth = softmax(w["scale_gain"] * peaks[:3]) @ np.log(SCALES)
        spread = -(probability * place).sum() / np.log(count**2)
        coarse = probability.reshape(4, count // 4, 4, count // 4).sum((1, 3)).flatten() * 1.0
        h = gru(np.concatenate([coarse, peaks, offset / (count / 4), [spread, probability.max(), 10 * growth]]), h, w)
        steering = w["steer.weight"] @ h + w["steer.bias"]
        gate = config.memory * sigmoid(steering[0])
        unit = stride * 2 / size
        offset = offset + np.tanh(steering[6:8])
        answer = np.clip(centre + offset * unit, -FAR, FAR)
        grown = np.clip(grown + growth * sigmoid(steering[8]) + 0.03 * np.tanh(steering[2]), -LARGE, LARGE)
        now = learn(z, offset + middle)
        seen = ((1 - gate) * seen[0] + gate * now[0], (1 - gate) * seen[1] + gate * now[1])
        keep *= 1 - gate
        moved = answer + 2 * np.tanh(steering[4:6]) * unit - box[:2]
        window, sigma = np.concatenate([centre, count / 2 * unit]), stride * width
        width = 0.3 + 0.4 * sigmoid(steering[3])
        answer = np.concatenate([answer, box[2:] * np.exp(grown)])
        found.append(
            {
                "box": answer,
                "window": window,
                "sigma": sigma,
                "place": place,
                "confidence": steering[1],
                "gate": gate,
                "patch": patch,
            }
        )
    return found
