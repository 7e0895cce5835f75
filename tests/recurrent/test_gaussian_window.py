"""The Gaussian window against NumPy transcriptions of the paper's equations, and its gradients."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.recurrent.gaussian_window import Window, filterbank, from_draw, read_window, to_pixels


def paper_filterbank(g: float, delta: float, sigma: float, count: int, size: int) -> np.ndarray:
    """Gregor et al. 2015, equations 22, 19, 25, in the paper's own 1-based pixels a and filters i."""
    centre = (size + 1) / 2 * (g + 1)  # equation 22
    filters = np.zeros((count, size))  # the exponents of equation 25
    for i in range(1, count + 1):
        mean = centre + (i - count / 2 - 0.5) * delta  # equation 19
        for a in range(1, size + 1):
            filters[i - 1, a - 1] = -((a - mean) ** 2) / (2 * sigma**2)
    weights = np.exp(filters - filters.max(1, keepdims=True))  # the common factor cancels against Z
    return weights / weights.sum(1, keepdims=True)


@settings(max_examples=80, deadline=None)
@given(
    g=st.floats(-1, 1),
    delta=st.floats(0.1, 6),
    sigma=st.floats(0.3, 5),
    count=st.integers(1, 12),
    size=st.integers(2, 40),
)
def test_the_filterbank_is_the_papers(g: float, delta: float, sigma: float, count: int, size: int) -> None:
    expected = paper_filterbank(g, delta, sigma, count, size)
    one = lambda value: torch.tensor([value], dtype=torch.float64)  # noqa: E731
    found = filterbank(from_draw(one(g), size), one(delta), one(sigma), count, size)[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)


def test_it_is_finite_and_normalised_where_the_formula_underflows() -> None:
    for centre in (-1e4, -1.0, 0.0, 1.0, 1e4):
        for sigma in (1e-3, 1.0, 1e3):
            filters = filterbank(*(torch.tensor([v]) for v in (centre, 1.0, sigma)), count=3, size=28)
            assert filters.isfinite().all()
            torch.testing.assert_close(filters.sum(-1), torch.ones(1, 3))


def test_a_single_filter_sits_at_the_centre() -> None:
    filters = filterbank(torch.tensor([0.0]), torch.tensor([5.0]), torch.tensor([0.5]), count=1, size=9)
    assert filters[0, 0].argmax() == 4


def test_reading_is_two_matrix_products_and_its_gradients_are_right() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 7, 9, generator=generator, dtype=torch.float64, requires_grad=True)
    parts = [torch.rand(2, generator=generator, dtype=torch.float64) + low for low in (-0.5, -0.5, 0.5, 0.5)]
    window = [part.requires_grad_() for part in parts]
    seen = read_window(images, Window(*window), 4)
    for b in range(2):
        x, y, stride, sigma = (part[b].item() for part in window)
        columns = paper_filterbank(x * 9 / 10, stride, sigma, 4, 9)
        rows = paper_filterbank(y * 7 / 8, stride, sigma, 4, 7)
        for c in range(3):
            expected = rows @ images[b, c].detach().numpy() @ columns.T
            np.testing.assert_allclose(seen[b, c].detach().numpy(), expected, atol=1e-10)
    assert torch.autograd.gradcheck(lambda images, *w: read_window(images, Window(*w), 4), (images, *window))


def test_coordinates_put_the_edges_half_a_pixel_outside() -> None:
    edges = to_pixels(torch.tensor([-1.0, 0.0, 1.0]), 28)
    assert edges.tolist() == [-0.5, 13.5, 27.5]
    # the paper's 1-based centre, taken to 0-based pixels, is where the house's coordinate lands
    g = torch.linspace(-1, 1, 5)
    torch.testing.assert_close(to_pixels(from_draw(g, 28), 28), (28 + 1) / 2 * (g + 1) - 1)
