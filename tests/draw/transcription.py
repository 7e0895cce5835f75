"""A step of DRAW in NumPy, equation by equation, in the paper's own 1-based pixels, with the torch model's weights."""

from typing import Any

import numpy as np

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def filters(centre: Array, delta: Array, variance: Array, count: int, size: int) -> Array:
    """Equations 19, 20, 25, 26 along one axis: [B, N, size]."""
    found = np.zeros((len(centre), count, size), centre.dtype)
    for b in range(len(centre)):
        for i in range(1, count + 1):
            mean = centre[b] + (i - count / 2 - 0.5) * delta[b]
            for a in range(1, size + 1):
                found[b, i - 1, a - 1] = np.exp(-((a - mean) ** 2) / (2 * variance[b]))
            found[b, i - 1] /= found[b, i - 1].sum()
    return found


def window(weights: dict[str, Array], name: str, h: Array, count: int, shape: Any) -> tuple[Array, Array, Array]:
    """Equations 21 to 26: F_X [B, N, A], F_Y [B, N, B'], gamma [B]; the image has A columns and B' rows."""
    _, rows, columns = shape
    gx, gy, log_variance, log_delta, log_gamma = (
        h @ weights[f"{name}.attention.linear.weight"].T + weights[f"{name}.attention.linear.bias"]
    ).T
    gx, gy = (columns + 1) / 2 * (gx + 1), (rows + 1) / 2 * (gy + 1)
    delta = (max(columns, rows) - 1) / (count - 1) * np.exp(log_delta)
    variance = np.exp(log_variance)
    return filters(gx, delta, variance, count, columns), filters(gy, delta, variance, count, rows), np.exp(log_gamma)


def lstm(weights: dict[str, Array], name: str, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    cell = {key: weights[f"{name}.core.cell.{key}"] for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    gates = x @ cell["weight_ih"].T + cell["bias_ih"] + h @ cell["weight_hh"].T + cell["bias_hh"]
    i, f, g, o = np.split(gates, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def read(weights: dict[str, Array], x: Array, error: Array, h: Array, count: int | None) -> Array:
    """Equation 27, or 17 without attention."""
    if count is None:
        return np.concatenate([x, error], axis=1).reshape(len(x), -1)
    fx, fy, gamma = window(weights, "read", h, count, x.shape[1:])
    patches = [
        [gamma[b] * fy[b] @ image[b, c] @ fx[b].T for image in (x, error) for c in range(x.shape[1])]
        for b in range(len(x))
    ]
    return np.array(patches, x.dtype).reshape(len(x), -1)


def write(weights: dict[str, Array], h: Array, count: int | None, shape: Any) -> Array:
    """Equations 28 and 29, or 18 without attention: what is added to the canvas [B, C, H, W]."""
    w = h @ weights["generator.write.patch.weight"].T + weights["generator.write.patch.bias"]
    if count is None:
        return w.reshape(len(h), *shape)
    w = w.reshape(len(h), shape[0], count, count)
    fx, fy, gamma = window(weights, "generator.write", h, count, shape)
    planes = [[fy[b].T @ w[b, c] @ fx[b] / gamma[b] for c in range(shape[0])] for b in range(len(h))]
    return np.array(planes, h.dtype)


def unroll(
    weights: dict[str, Array], x: Array, noise: Array, counts: tuple[int | None, int | None]
) -> dict[str, Array]:
    """Equations 1 to 8 for all steps: canvas, mu, log sigma and states, [T, B, ...]."""
    batch, shape = len(x), x.shape[1:]
    begin = lambda name: np.repeat(weights[name], batch, axis=0)  # noqa: E731
    canvas = np.repeat(weights["generator.canvas"][None], batch, axis=0)
    h_enc, c_enc = begin("encoder.begins.h"), begin("encoder.begins.c")
    h_dec, c_dec = begin("generator.decoder.begins.h"), begin("generator.decoder.begins.c")
    found: dict[str, list[Array]] = {name: [] for name in ("canvas", "mu", "log_sigma", "h_enc", "h_dec")}
    for epsilon in noise:
        error = x - sigmoid(canvas)  # (3)
        r = read(weights, x, error, h_dec, counts[0])  # (4)
        h_enc, c_enc = lstm(weights, "encoder", np.concatenate([r, h_dec], axis=1), h_enc, c_enc)  # (5)
        mu, log_sigma = np.split(
            h_enc @ weights["posterior.weight"].T + weights["posterior.bias"], 2, axis=1
        )  # (1), (2)
        z = mu + np.exp(log_sigma) * epsilon  # (6)
        h_dec, c_dec = lstm(weights, "generator.decoder", z, h_dec, c_dec)  # (7)
        canvas = canvas + write(weights, h_dec, counts[1], shape)  # (8)
        for name, value in zip(found, (canvas, mu, log_sigma, h_enc, h_dec), strict=True):
            found[name].append(value)
    return {name: np.stack(values) for name, values in found.items()}
