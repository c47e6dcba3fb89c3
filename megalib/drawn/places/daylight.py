"""Daylight: the light and the weather in which a station is seen, and the scene that they make."""

import cv2
import numpy as np
from numpy.random import Generator

from megalib.drawn.animals.shapes import Light, Size
from megalib.drawn.pixels import Colour, flood, mix, scaled, smoothstep, soft_noise
from megalib.drawn.places.scenes import INFRARED, SKY, Base, Scene, gradient, softened
from megalib.drawn.places.water import drift, shafts

YEAR = 365.25
RAINS = 90  # day of the year on which the land is greenest
JITTER = 0.05  # a camera is not put up twice in the same place: share of its picture
VEIL = 0.22  # share of its contrast that a background loses, as on a plate of a field guide
FLASH_REACH = 2.4  # distance at which half of the infrared is left, in distances of the feet
DEPTH = np.arange(256, dtype=np.float32) / SKY


def cut(base: Base, size: Size, rng: Generator) -> tuple[np.ndarray, float]:
    """Cut a picture out of a station's base, nearly the same one each time.

    Returns:
        The picture, uint8 (height, width, 4), and the row of the horizon (0 in water).
    """
    height, width = base.picture.shape[:2]
    share = min(width / size[0], height / size[1]) * (1 - rng.uniform(0, JITTER))
    across, down = share * size[0], share * size[1]
    free = np.array([width - across, height - down])
    # The foreground stays in the picture, the sky need not.
    offset = free * (0.5, 0.8) + rng.uniform(-0.5, 0.5, 2) * JITTER * np.array([across, down])
    x, y = np.clip(offset, 0, free).astype(int)
    part = base.picture[y : y + int(down), x : x + int(across)]
    horizon = 0.0 if base.horizon is None else (base.horizon - y) * size[1] / int(down)
    how = cv2.INTER_AREA if share > 1 else cv2.INTER_LINEAR
    return cv2.resize(part, size, interpolation=how), horizon


def season(day: int) -> float:
    """How green the land is on a day of the survey, 0 (dry) to 1."""
    return float(0.5 + 0.5 * np.cos(2 * np.pi * (day - RAINS) / YEAR))


def on_land(
    base: Base, light: str, day: int, weather: Generator, size: Size, rng: Generator
) -> Scene:
    """Light a station on land.

    Args:
        base: The station.
        light: "sun", "shade", "overcast" or "infrared".
        day: Of the survey; decides the season.
        weather: Source of what a station's pictures of one day share.
        size: Of the picture.
        rng: Source of what varies from picture to picture.
    """
    part, horizon = cut(base, size, rng)
    depth = np.ascontiguousarray(part[..., 3])
    low = float(weather.random() ** 1.5)  # the sun: 0 high at noon, 1 low in the evening
    exposure, dust = weather.uniform(0.88, 1.10), weather.uniform(0, 1)
    sky, gain, saturation, sun, ambient = _weather(light, low)
    towards = _towards_sun(weather, low)
    green = 0.8 * season(day) - 0.2
    growth = (1 - 0.16 * green, 1 + 0.04 * green, 1 - 0.14 * green)
    grade = np.diag(np.float32(gain) * exposure * (1 if light == "infrared" else growth))
    luma = np.outer(np.ones(3), INFRARED if light == "infrared" else (0.3, 0.59, 0.11))
    grade = np.float32(grade @ (saturation * np.eye(3) + (1 - saturation) * luma))
    land = cv2.transform(part[..., :3].astype(np.float32) * np.float32(1 / 255), grade)
    if light == "infrared":
        distance = 1 / (np.clip(1 - DEPTH, 0, 1) + 0.06)
        strength = 1.35 / (1 + (distance / FLASH_REACH) ** 2)
        land = scaled(land, cv2.LUT(depth, strength * (DEPTH < 1)))
        haze = (0.05, 0.05, 0.05)
    else:
        haze = tuple(float(c) for c in 0.5 * np.float32(sky[1]) + 0.5 * np.float32(sky[1]).mean())
        far = 0.55 * (0.3 + 0.7 * dust) * np.exp(-(1 - DEPTH) / 0.16)
        if light == "shade":  # what is near lies in the shade, what is far in the sun
            land = scaled(land, cv2.LUT(depth, 0.62 + 0.55 * smoothstep(0.35, 0.95, DEPTH)))
        land = mix(land, haze, cv2.LUT(depth, np.float32(VEIL + (1 - VEIL) * far)))
        rows = max(2, min(size[1], round(horizon) + 2))
        above = _sky(weather, (rows, size[0]), sky, sun, towards[0], light)
        share = cv2.LUT(depth[:rows], np.float32(smoothstep(0.945, 0.995, DEPTH)))
        land[:rows] = mix(land[:rows].copy(), above, share)
    lamp = (0.0, -0.12, 0.99) if light == "infrared" else towards
    ground = horizon + (size[1] - horizon) * rng.uniform(0.62, 0.9)
    grass = tuple(tuple(float(c) for c in grade @ np.float32(c)) for c in base.colours)
    return Scene(
        cv2.convertScaleAbs(np.maximum(land, 0), alpha=255),
        Light(lamp, softened(sun, exposure), softened(ambient, exposure)),
        haze,
        ground,
        grass,
        murk=0.0 if light == "infrared" else 0.10 * dust**2,
        horizon=horizon,
    )


def _weather(light: str, low: float) -> tuple:
    """What a light is: sky, gain of the land's colours, saturation, sun, light from all around."""
    if light == "overcast":
        sky = ((0.66, 0.70, 0.73), (0.88, 0.90, 0.90))
        return sky, (0.92, 0.95, 0.96), 0.78, (0.30, 0.30, 0.30), (0.72, 0.74, 0.75)
    if light == "shade":
        sky = ((0.84, 0.91, 0.96), (0.97, 0.97, 0.94))
        return sky, (0.94, 1.0, 1.0), 0.9, (0.22, 0.22, 0.20), (0.58, 0.61, 0.62)
    if light == "infrared":
        sky = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
        return sky, (0.95, 0.95, 0.95), 0.0, (0.92, 0.92, 0.92), (0.16, 0.16, 0.16)
    noon = (
        ((0.36, 0.60, 0.86), (0.80, 0.90, 0.94)),
        (1.04, 1.02, 0.96),
        (0.84, 0.79, 0.70),
        (0.40, 0.43, 0.48),
    )
    evening = (
        ((0.40, 0.44, 0.64), (0.98, 0.76, 0.50)),
        (1.06, 0.86, 0.68),
        (1.00, 0.70, 0.44),
        (0.34, 0.33, 0.42),
    )
    sky, gain, sun, ambient = (
        (1 - low) * np.float32(a) + low * np.float32(b) for a, b in zip(noon, evening, strict=True)
    )
    return tuple(map(tuple, sky)), tuple(gain), 1.0, tuple(sun), tuple(ambient)


def _towards_sun(weather: Generator, low: float) -> tuple[float, float, float]:
    """The direction towards the sun: somewhere above, to the left or right, before the animal."""
    azimuth, height = weather.uniform(-1.2, 1.2), 1.05 - 0.7 * low
    right, front = np.sin(azimuth) * np.cos(height), np.cos(azimuth) * np.cos(height)
    return float(right), float(-np.sin(height)), float(front)


def _sky(
    weather: Generator,
    shape: tuple[int, int],
    colours: tuple[Colour, Colour],
    sun: Colour,
    right: float,
    light: str,
) -> np.ndarray:
    height, width = shape
    sky = gradient(shape, *colours)
    narrow = (height // 2 + 1, width // 6 + 1)  # clouds are wider than they are high
    clouds = soft_noise(weather, narrow, 17) + 0.5 * soft_noise(weather, narrow, 7)
    share = weather.uniform(0.1, 0.8) * smoothstep(0.15, 0.9, clouds)
    if light == "overcast":
        return scaled(sky, 1 - 0.12 * cv2.resize(share, (width, height)))
    sky = mix(sky, (0.98, 0.97, 0.95), cv2.resize(share, (width, height)))
    if light == "sun":
        x = np.linspace(-1, 1, width, dtype=np.float32) - np.sign(right) * 0.6
        glow = np.exp(-4 * x**2) * np.linspace(0.1, 1, height, dtype=np.float32)[:, None] ** 2
        sky = sky + scaled(flood(shape, sun), 0.35 * glow)
    return sky


def in_water(
    base: Base, light: str, day: int, weather: Generator, size: Size, rng: Generator
) -> Scene:
    """Light a dive site; arguments as of `on_land`. In the rains the water is greener."""
    part, _ = cut(base, size, rng)
    depth = np.ascontiguousarray(part[..., 3])
    width, height = size
    green = season(day)
    cast = weather.uniform(0.9, 1.1, 3) * (1, 1 + 0.08 * green, 1 - 0.12 * green)
    bright = {"sun": 1.05, "shade": 0.72, "overcast": 0.88, "infrared": 1.0}[light]
    strength, murk = bright * weather.uniform(0.92, 1.12), weather.uniform(0, 0.12)
    top, deep = (np.clip(np.float32(c) * cast, 0, 1) * strength for c in base.colours)
    towards = (float(weather.uniform(-0.45, 0.45)), -0.78, 0.45)
    sun, ambient = 0.48 + 0.5 * top, 0.45 + 0.35 * top
    if light == "overcast":
        sun, ambient, deep = 0.6 * sun, 1.2 * ambient, 0.6 * deep + 0.4 * deep.mean()
    if light == "shade":
        sun, ambient = 0.7 * sun, 0.95 * ambient
    if light == "infrared":
        top, deep = np.full(3, 0.10), np.full(3, 0.03)
        sun, ambient, towards = np.full(3, 0.9), np.full(3, 0.16), (0.0, -0.12, 0.99)
    middle = top * weather.uniform(0.35, 0.6) + deep * 0.5
    water = gradient((height, width), tuple(top), tuple(middle))
    water = mix(water, tuple(deep), np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 1.5)
    water = scaled(water, 1 + 0.05 * soft_noise(rng, (height, width), 120))
    things = part[..., :3].astype(np.float32) * np.float32(1 / 255)
    things = things * np.float32(0.15 + 0.9 * middle)
    if light == "infrared":
        things = cv2.transform(things, np.outer(np.ones(3), 4 * INFRARED).astype(np.float32))
        things = scaled(things, cv2.LUT(depth, np.float32(np.exp(-2.2 * DEPTH))))
    clear = np.exp(-(0.6 + 6 * murk) * DEPTH) * smoothstep(0.99, 0.9, DEPTH)
    water = mix(water, things, cv2.LUT(depth, np.float32(clear)))
    if light == "sun":
        water += scaled(flood(water.shape, (0.8, 1.0, 0.95)), shafts(weather, size))
    canvas = cv2.convertScaleAbs(np.maximum(water, 0), alpha=255)
    drift(canvas, rng, deep)
    return Scene(
        canvas,
        Light(towards, softened(tuple(sun), 1.0), softened(tuple(ambient), 1.0)),
        tuple(float(c) for c in middle),
        None,
        murk=murk,
        place="water",
    )


def on_black(light: str, size: Size, rng: Generator) -> Scene:
    """Light an animal that is cut out, seen from above: nothing is behind it."""
    azimuth, warmth = rng.uniform(0, 2 * np.pi), rng.uniform(-0.02, 0.02)
    direction = (float(0.55 * np.cos(azimuth)), float(0.55 * np.sin(azimuth)), 0.63)
    sun, sky = {
        "sun": (0.95, 0.60),
        "shade": (0.45, 0.72),
        "overcast": (0.35, 1.0),
        "infrared": (0.95, 0.35),
    }[light]
    sun, sky = (sun + warmth, sun, sun - warmth), (0.95 * sky - warmth, sky, 1.05 * sky + warmth)
    black = np.zeros((size[1], size[0], 3), np.uint8)
    return Scene(black, Light(direction, sun, sky), (0.0, 0.0, 0.0), None, place="black")
