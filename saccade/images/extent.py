"""The smallest box around the true pixels of a mask."""

import numpy as np
from jaxtyping import Bool


def extent(mask: Bool[np.ndarray, "H W"]) -> tuple[slice, slice]:
    """Return the rows and columns from the first to the last that hold a true pixel; at least one must be true."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
