"""A small album of known and new photographs with images, and the table of their candidates."""

from pathlib import Path

import numpy as np
import pandas as pd

from megalib.identify.photographs import Photographs
from tests.conftest import write_image

# What strangers may call an animal or a file.
HOSTILE = [
    "</script><script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 1'>",
    "\"'><b>&amp;",
    "</noscript><b>",
    "=1+1;-2",
    "{{ 7 * 7 }}",
    "line\u2028end 🐆 Zoë, a",
]


def photographs(
    folder: Path, names: list[str], identities: list[str], seed: int = 0, **columns: object
) -> Photographs:
    """Photographs with noisy images and random embeddings; `names` are those of the files.

    Args:
        folder: where the prepared images are written.
        names: below the user's folder.
        identities: who is on them.
        seed: of images and embeddings.
        **columns: further columns of the metadata.
    """
    paths = [f"{number}.png" for number in range(len(names))]
    for number, path in enumerate(paths):
        write_image(folder / path, (40, 32), 100 * seed + number)
    metadata = pd.DataFrame({"identity": identities, "path": paths, "photograph": names})
    metadata["image_id"] = [f"{folder.name}-{number}" for number in range(len(names))]
    metadata["animal"] = metadata.groupby("photograph").cumcount() + 1
    rows = np.random.default_rng(seed).standard_normal((len(names), 8)).astype(np.float32)
    return Photographs(metadata.assign(**columns), rows, folder, "ab" * 32)


def small(
    tmp_path: Path, new: tuple[str, ...] = ("a.jpg", "b.jpg")
) -> tuple[Photographs, Photographs]:
    """Three known individuals with six photographs each, and a few new photographs."""
    names = [f"{who}/{number}.jpg" for who in ("Ada", "Bo", "Cleo") for number in range(6)]
    known = photographs(tmp_path / "Known", names, [name.split("/")[0] for name in names])
    return known, photographs(tmp_path / "New", list(new), ["unknown"] * len(new), seed=1)


def table_of(new: Photographs, known: Photographs, most: int = 3) -> pd.DataFrame:
    """The table of `judging.rank`, by a plain loop."""
    rows = []
    for query, row in enumerate(new.metadata.to_dict("records")):
        cosines = [cosine(new.rows[query], other) for other in known.rows]
        best: dict[str, int] = {}
        for place in np.argsort(cosines)[::-1]:
            best.setdefault(known.metadata["identity"].iloc[place], place)
        for rank, (name, place) in enumerate(list(best.items())[:most], 1):
            match = known.metadata.iloc[place]
            rows.append(
                {
                    **{name: row[name] for name in ("photograph", "animal", "image_id")},
                    "rank": rank,
                    "candidate": name,
                    "known_photograph": match["photograph"],
                    "known_animal": match["animal"],
                    "similarity": cosines[place],
                    "probability": np.nan if query else 0.5,
                    "unlike_all_known": "no" if query else "yes",
                    "encounter": row.get("encounter", np.nan),
                    "path": row["path"],
                    "known_path": match["path"],
                }
            )
    return pd.DataFrame(rows)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
