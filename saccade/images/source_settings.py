"""Checks that the settings of an image source fit its images."""

from saccade.errors import InputError
from saccade.images.canvas import CanvasConfig
from saccade.images.picture_files import Images


def check_settings(train: Images, validation: int, shift: int, canvas: CanvasConfig | None) -> None:
    """Check that the settings fit the images."""
    count, side = len(train.labels), min(train.pixels.shape[2:])
    if not 0 <= validation < count:
        raise InputError(f"0 to {count - 1} validation images of {count}", str(validation), "change --validation")
    if not 0 <= shift < side:
        raise InputError(f"a shift of 0 to {side - 1} pixels for images of {side}", str(shift), "change --shift")
    if canvas and canvas.sides and canvas.sides[0] > canvas.sides[1]:
        found = f"{canvas.sides[0]} and {canvas.sides[1]} pixels"
        raise InputError("a smallest digit no larger than the largest", found, "change --smallest or --largest")
    side_of_largest = canvas.sides[1] if canvas and canvas.sides else side
    if canvas and canvas.size < side_of_largest:
        raise InputError(f"a canvas of at least {side_of_largest} pixels", str(canvas.size), "change --canvas")
    if canvas and canvas.pieces and not 1 <= canvas.piece_size <= side:
        raise InputError(f"pieces of 1 to {side} pixels", str(canvas.piece_size), "change --piece-size")
    if canvas and canvas.pieces < 0:
        raise InputError("0 pieces or more", str(canvas.pieces), "change --pieces")


def check_distort(distort: float, canvas: CanvasConfig | None, binarise: str) -> None:
    """Check that the images to distort are single and grey."""
    if distort and (canvas is not None or binarise == "fixed"):
        found = "canvases" if canvas is not None else "--binarise fixed"
        do = "leave --distort out, or use mnist, digits or folder:PATH, grey or with --binarise dynamic"
        raise InputError("single grey images to distort", found, do)
