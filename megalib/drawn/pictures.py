"""Pictures: an animal in a scene, with pose, light, lens and sensor of its own.

Every picture is a pure function of (seed, species, individual, picture, day), so that neither the
order of drawing nor the number of processes can change a pixel.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from megalib.drawn import scenes
from megalib.drawn.animals import ANIMALS, Sheets
from megalib.drawn.coats import mix, scaled, traits
from megalib.drawn.shapes import Light, Piece, render, spline

SPECIES = tuple(ANIMALS)
PAIR_EVERY = 6  # in a species that is met in pairs, every sixth picture holds two animals
MARGIN = 6  # pixels kept free between an animal and the edge of its picture
BOX_MARGIN = 0.03  # room around an animal in its bounding box, as a share of its longer side
SHADOW_STEP = 4
JPEG_QUALITY = 90
VEIL = 0.5  # the background pales, so that the animal stands out as on a plate of a field guide

# Width and height; the shorter side is above 518, the larger of the two prepared sizes.
SIZES = (
    *((720, 540), (768, 576), (800, 560), (840, 560), (880, 550), (960, 540)),
    *((600, 600), (640, 540), (660, 600), (540, 720), (560, 700), (576, 720)),
)
RIGHT_SHARE = 0.75  # a survey photographs one flank by rule, the other by chance
PAIR_SIZE = (960, 560)
LANDS = {
    "zebra": ("noon", "rains", "evening", "sand"),
    "leopard": ("forest", "dawn", "evening", "sand", "rains"),
}

# Words that tell the generators of coats, pictures and days apart.
_COAT, _PICTURE, _DAY = 1, 2, 4  # 3 is that of dates, see `datasets`


@dataclass(frozen=True)
class Sighting:
    """One animal in one picture.

    Attributes:
        individual: Its number within the species.
        bbox: x, y, width, height in pixels, with a small margin, inside the picture.
        facing: "left" or "right".
        mask: uint8 (height, width), 0 to 255: the animal itself.
    """

    individual: int
    bbox: tuple[int, int, int, int]
    facing: str
    mask: np.ndarray


@lru_cache(maxsize=64)
def sheets(seed: int, species: str, individual: int, side: int) -> Sheets:
    """Paint the coat of one side (0 right, 1 left) of an individual."""
    number = SPECIES.index(species)
    rng = np.random.default_rng([seed, _COAT, number, individual, side])
    return ANIMALS[species].coat(rng, traits(seed, number, individual))


def draw_picture(
    seed: int,
    species: str,
    individual: int,
    picture: int,
    companion: int | None = None,
    day: int | None = None,
) -> tuple[np.ndarray, list[Sighting]]:
    """Draw one picture.

    Args:
        seed: Seed of the whole data set.
        species: A key of `ANIMALS`.
        individual: Number of the animal.
        picture: Number of the picture of this animal.
        companion: Number of a second animal in the picture, if any.
        day: Number of the day. Pictures of one day share the light and the water, those of one
            animal on one day also the side and the angle, as a series of photographs does. None
            for a picture that shares nothing.

    Returns:
        The picture, uint8 (height, width, 3), RGB, and who is where in it.
    """
    number = SPECIES.index(species)
    rng = np.random.default_rng([seed, _PICTURE, number, individual, picture])
    of_day = of_encounter = rng
    if day is not None:
        of_day = np.random.default_rng([seed, _DAY, number, day])
        of_encounter = np.random.default_rng([seed, _DAY, number, day, individual])
    sizes = [s for s in SIZES if 1.2 < s[0] / s[1] < 1.51] if species == "leopard" else SIZES
    size = sizes[int(rng.integers(len(sizes)))] if companion is None else PAIR_SIZE
    scene = _scene(rng, of_day, species, size)
    canvas = scene.picture * np.float32(1 / 255)
    if species != "turtle":
        canvas = mix(canvas, scene.haze, VEIL)
    present = [individual] if companion is None else [individual, companion]
    order = [int(i) for i in rng.permutation(present)]
    sightings = []
    for place, animal in enumerate(order):
        room = _room(rng, scene, size, place, len(order), species)
        sightings.append(_put(canvas, rng, of_encounter, seed, species, animal, room, scene))
    _foreground(canvas, rng, scene, sightings)
    if species == "turtle":
        return _segmented(canvas, rng, sightings[0].mask), sightings
    return _photograph(canvas, rng), sightings


def draw_animal(
    seed: int,
    species: str,
    individual: int,
    companions: list[int | None],
    days: list[int | None],
    folder: Path,
    extension: str,
) -> list[dict]:
    """Draw and save all pictures of one animal: the work of one process.

    Args:
        seed: Seed of the whole data set.
        species: A key of `ANIMALS`.
        individual: Number of the animal.
        companions: Who else is in each picture; its length is the number of pictures.
        days: Number of the day of each picture, or None, see `draw_picture`.
        folder: Where to write; made if missing.
        extension: ".jpg" or ".png".

    Returns:
        A row for every animal in every picture: file, picture, individual, facing, and x, y,
        width and height of the bounding box.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for picture, (companion, day) in enumerate(zip(companions, days, strict=True)):
        pixels, sightings = draw_picture(seed, species, individual, picture, companion, day)
        file = f"{folder.name}_{picture:03d}{extension}"
        (folder / file).write_bytes(_encoded(pixels, extension))
        for seen in sightings:
            row = {"file": file, "picture": picture, "individual": seen.individual}
            box = dict(zip(("x", "y", "width", "height"), seen.bbox, strict=True))
            rows.append(row | {"facing": seen.facing} | box)
    return rows


def _encoded(pixels: np.ndarray, extension: str) -> bytes:
    """A picture as its file holds it; Pillow itself would not notice a full disk."""
    data = io.BytesIO()
    if extension == ".png":  # lossless at any level, and the first is by far the fastest
        Image.fromarray(pixels).save(data, "PNG", compress_level=1)
    else:
        Image.fromarray(pixels).save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()


def _scene(
    rng: np.random.Generator, of_day: np.random.Generator, species: str, size: tuple[int, int]
) -> scenes.Scene:
    if species in LANDS:
        names = LANDS[species]
        return scenes.landscape(rng, size, scenes.LANDSCAPES[names[int(rng.integers(len(names)))]])
    if species == "turtle":
        black = np.zeros((size[1], size[0], 3), np.uint8)
        azimuth, warmth = rng.uniform(0, 2 * np.pi), rng.uniform(-0.02, 0.02)
        light = Light(
            (float(0.55 * np.cos(azimuth)), float(0.55 * np.sin(azimuth)), 0.63),
            (0.95 + warmth, 0.95, 0.95 - warmth),
            (0.58 - warmth, 0.62, 0.66 + warmth),
        )
        return scenes.Scene(black, light, (0.0, 0.0, 0.0), None)
    return scenes.sea(rng, of_day, size)


def _room(
    rng: np.random.Generator,
    scene: scenes.Scene,
    size: tuple[int, int],
    place: int,
    animals: int,
    species: str,
) -> tuple[float, float, float, float]:
    """Choose where an animal goes: middle, bottom (or middle) row, largest width and height."""
    width, height = size
    share = rng.uniform(0.46, 0.52) if animals > 1 else rng.uniform(0.88, 0.98)
    middle = width * ((0.26, 0.74)[place] if animals > 1 else rng.uniform(0.42, 0.58))
    if scene.ground is None:
        return middle, height * rng.uniform(0.42, 0.58), share * width, 0.88 * height
    nearer = 1.0 if place == animals - 1 else 0.93
    foot = min(scene.ground if nearer == 1 else scene.ground * 0.96, 0.95 * height)
    return middle, foot, share * width * nearer, (foot - 0.05 * height) * nearer


def _lens(rng: np.random.Generator, species: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Draw a viewpoint: a 2 x 2 matrix, keystone factors, and whether the animal faces left."""
    tilt = {"turtle": 0.5, "whale_shark": 0.18}.get(species, 0.06)
    angle, shear = rng.uniform(-tilt, tilt), rng.uniform(-0.07, 0.07)
    narrow = rng.uniform(0.86, 1.0)  # a body turned a little away from the viewer looks shorter
    facing_left = bool(rng.random() > RIGHT_SHARE)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[narrow, shear], [0, 1]])
    if facing_left and species != "turtle":  # seen from above, nothing mirrors an animal
        matrix = np.diag([-1.0, 1.0]) @ matrix
    return matrix, rng.uniform(-2.2e-4, 2.2e-4, 2), facing_left


def _put(
    canvas: np.ndarray,
    rng: np.random.Generator,
    of_encounter: np.random.Generator,
    seed: int,
    species: str,
    individual: int,
    room: tuple[float, float, float, float],
    scene: scenes.Scene,
) -> Sighting:
    """Draw an animal into `canvas` (float32, in place)."""
    height, width = canvas.shape[:2]
    pieces = ANIMALS[species].pose(rng)
    matrix, keystone, facing_left = _lens(of_encounter, species)

    def project(points: np.ndarray) -> np.ndarray:
        turned = (points - [330, 260]) @ matrix.T
        return turned / (1 + turned @ keystone)[:, None]

    # A portrait: the leopard fills its frame, and its tail may leave it.
    framed = [p for p in pieces if species != "leopard" or p.sheet != "tail"]
    low, high = _extent(framed, project)
    middle, foot, most_width, most_height = room
    scale = min(most_width / (high - low)[0], most_height / (high - low)[1])
    scale = min(scale, *((np.array([width, height]) - 2 * MARGIN) / (high - low)))
    anchor = (low + high) / 2 if scene.ground is None else np.array([(low + high)[0] / 2, high[1]])
    shift = np.array([middle, foot]) - scale * anchor
    shift = np.clip(shift, MARGIN - scale * low, [width - MARGIN, height - MARGIN] - scale * high)
    coat = sheets(seed, species, individual, int(facing_left and species != "turtle"))
    low, high = (scale * corner + shift for corner in _extent(pieces, project))
    x, y = np.maximum(np.floor(low).astype(int) - 3, 0)
    right, bottom = np.minimum(np.ceil(high).astype(int) + 3, [width, height])
    colour, opacity = render(
        pieces,
        coat,
        lambda p: scale * project(p) + shift - [x, y],
        (right - x, bottom - y),
        scene.light,
    )
    mask = np.zeros((height, width), np.uint8)
    mask[y:bottom, x:right] = cv2.convertScaleAbs(opacity, alpha=255)
    if scene.ground is not None:
        _shadow(canvas, mask, high[1], scene.light)
    if species != "turtle":
        haze = scene.murk + rng.uniform(0, 0.06)
        colour = mix(colour, scene.haze, haze)
    window = canvas[y:bottom, x:right]
    window[:] = mix(window.copy(), colour, opacity)
    return Sighting(individual, bounding_box(mask), "left" if facing_left else "right", mask)


def _extent(pieces: list[Piece], project) -> tuple[np.ndarray, np.ndarray]:
    outline = np.vstack([spline(project(piece.posed), 3) for piece in pieces])
    return outline.min(0), outline.max(0)


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return x, y, width, height of what is visible in a mask, with a small margin."""
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask)
    margin = round(BOX_MARGIN * max(w, h))
    left, top = max(0, x - margin), max(0, y - margin)
    right, bottom = min(width, x + w + margin), min(height, y + h + margin)
    return left, top, right - left, bottom - top


def _shadow(canvas: np.ndarray, mask: np.ndarray, foot: float, light: Light) -> None:
    """Cast the animal's shadow on the ground, in place."""
    small = cv2.resize(mask, None, fx=1 / SHADOW_STEP, fy=1 / SHADOW_STEP).astype(np.float32) / 255
    foot = foot / SHADOW_STEP - 2
    right, down, _ = light.direction
    flat, slant = 0.20, -0.55 * right / max(0.35, -down)
    # Inverse map: the shadow at (x, y) comes from the animal at height (foot - y) / flat.
    matrix = np.float32(
        [[1, slant / flat, -slant / flat * foot], [0, 1 / flat, foot - foot / flat]]
    )
    cast = cv2.warpAffine(
        small, matrix, small.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    cast = cv2.GaussianBlur(cast, (0, 0), 2.2)
    canvas[:] = scaled(canvas, 1 - 0.5 * cv2.resize(cast, canvas.shape[1::-1]))


def _foreground(
    canvas: np.ndarray, rng: np.random.Generator, scene: scenes.Scene, sightings: list[Sighting]
) -> None:
    """Let grass grow before the animals' feet, in place."""
    if not scene.grass or scene.ground is None:
        return
    height, width = canvas.shape[:2]
    top = int(max(0, scene.ground - 0.2 * height))
    strip = cv2.convertScaleAbs(canvas[top:], alpha=255)
    for _ in range(int(rng.integers(4, 20))):
        foot = (rng.uniform(0, width), scene.ground + rng.uniform(2, 60) - top)
        scenes.tuft(strip, rng, foot, rng.uniform(16, 62), scene.grass)
    canvas[top:] = strip * np.float32(1 / 255)


def _photograph(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Develop a photograph: exposure, colour temperature, contrast, vignette, blur, noise."""
    height, width = canvas.shape[:2]
    exposure, warmth, contrast = (
        rng.uniform(0.83, 1.17),
        rng.uniform(-0.02, 0.02),
        rng.uniform(0.92, 1.08),
    )
    gain = np.float32((1 + warmth, 1, 1 - warmth)) * np.float32(exposure * contrast)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] ** 2
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
    vignette = 1 - np.float32(rng.uniform(0, 0.16)) * (x + y)
    blur = rng.uniform(0, 0.9)
    if blur > 0.35:
        canvas = cv2.GaussianBlur(canvas, (0, 0), blur)
    noise = _noise(rng, (height, width)) * np.float32(rng.uniform(0.004, 0.03))
    noise += np.float32(0.45 * (1 - contrast))
    planes = [
        plane * (g * vignette) + noise for plane, g in zip(cv2.split(canvas), gain, strict=True)
    ]
    return cv2.convertScaleAbs(np.maximum(cv2.merge(planes), 0), alpha=255)


def _segmented(canvas: np.ndarray, rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Develop an animal on pure black: noise inside the mask only, no pixel of it black."""
    gain = np.float32(rng.uniform(0.98, 1.02, 3)) * np.float32(rng.uniform(0.8, 1.25))
    noise = _noise(rng, mask.shape) * np.float32(rng.uniform(0.004, 0.02))
    planes = [plane * g + noise for plane, g in zip(cv2.split(canvas), gain, strict=True)]
    developed = cv2.convertScaleAbs(np.maximum(cv2.merge(planes), 1 / 255), alpha=255)
    return cv2.copyTo(developed, (mask > 0).astype(np.uint8))


def _noise(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    sheet = scenes.noise_sheet()
    y, x = (int(rng.integers(s - n + 1)) for s, n in zip(sheet.shape, shape, strict=True))
    return sheet[y : y + shape[0], x : x + shape[1]]
