"""The world: how hard the drawn animals make it for whoever would tell them apart.

One field for each thing that photographs of wild animals do; the defaults are the demo's world.
"""

from dataclasses import dataclass

Range = tuple[float, float]  # lowest and highest


@dataclass(frozen=True)
class World:
    """Each field is one effect. All chances are shares, 0 to 1."""

    # Who is met.
    strangers: float = 0.25  # individuals that no database holds, per individual with a name
    stranger_pictures: int = 3  # of each of them
    pairs: float = 0.15  # share of encounters with two animals, where the species lives in herds
    # When and where.
    days: int = 1096  # from the first of the survey to its last
    stations: int = 8  # of cameras, for each species
    visited: int = 3  # stations that one animal comes to
    home: float = 0.7  # share of its encounters at the station it comes to most
    bursts: float = 0.1  # share of encounters of which there are several pictures
    longest_burst: int = 4  # pictures of one encounter
    # From which side.
    right: float = 0.6  # share of encounters that show the right flank; others show the left one
    yaw: float = 25.0  # degrees away from a side view at most, to either side
    pitch: float = 10.0  # degrees from above at most
    bend: float = 15.0  # degrees that a body bends at most, to either side
    within_burst: float = 0.1  # how much of these ranges a view changes within a burst
    # From how far: pixels along the longer side of the animal.
    near: Range = (180.0, 560.0)
    far: Range = (40.0, 100.0)
    far_away: float = 0.15  # share of encounters that are far
    # Light. What is left of the days is sunny.
    night: float = 0.08  # share of encounters on land that are by infrared flash
    shade: float = 0.25  # share of the others
    overcast: float = 0.25  # the same
    season: float = 0.06  # how far the seasons tint each of red, green and blue, as a share
    # The state of the animal.
    wet: float = 0.2  # share of encounters on land with a wet animal
    muddy: float = 0.2  # share of encounters with mud, or algae, on the coat
    mud: float = 0.25  # share of the coat that is under it then, at most
    scars: float = 0.6  # that an animal gets in a year, on average
    # What is in the way.
    obstructed: float = 0.12  # share of encounters in which something hides a part of the animal
    hidden: Range = (0.1, 0.4)  # share of the animal that is hidden then
    snow: int = 260  # specks in the water before an animal at most
    # The camera.
    soft: Range = (
        0.003,
        0.013,
    )  # spread of the blur out of focus, as a share of the animal's length
    grain: Range = (0.008, 0.05)  # spread of the noise, as a share of white
    moved: float = 0.15  # share of pictures that are blurred by motion
    motion: float = 0.03  # length of that blur at most, as a share of the animal's
    quality: tuple[int, int] = (35, 92)  # of JPEG files
