"""A description of drawn animals that programs read: Croissant 1.1, a format of MLCommons.

It says which files there are and what each column of the tables means; see
http://mlcommons.org/croissant/1.1. Those who host the pictures add their address as `url`.
"""

import hashlib
from collections.abc import Mapping

VERSION = "2.0.0"  # of the drawn animals as a dataset; the first ones were tidy
DATE = "2026-11-25"
LICENCE = "https://creativecommons.org/publicdomain/zero/1.0/"
CITE_AS = (
    "@misc{drawn_animals, title={Drawn animals for re-identification}, "
    "author={The MegaDescriptor compendium authors}, year={2026}}"
)

_TEXT, _DATE, _WHOLE, _NUMBER = "sc:Text", "sc:Date", "cr:Int64", "cr:Float64"
COLUMNS = {
    "path": (_TEXT, "The picture."),
    "identity": (_TEXT, "Who it is; 'unknown' for strangers, which are several animals."),
    "animal": (_TEXT, "Who it is, also of strangers."),
    "family": (_WHOLE, "Siblings, whose coats resemble each other, share this number."),
    "species": (_TEXT, "The species, in plain words."),
    "orientation": (_TEXT, "The side that is seen: 'left', 'right', or 'top'."),
    "flank": (_TEXT, "The side that is seen: 'left', 'right', or 'top'."),
    "yaw": (_NUMBER, "Degrees; 0 is a side view, above 0 the head comes nearer."),
    "pitch": (_NUMBER, "Degrees; how far from above the animal is seen."),
    "bend": (_NUMBER, "Degrees; how far the body bends, above 0 with the head to the viewer."),
    "day": (_WHOLE, "Day of the survey, counted from its first, which is 0."),
    "date": (_DATE, "The same day as a date."),
    "encounter": (_WHOLE, "Number of the meeting; pictures of a burst share it."),
    "station": (_WHOLE, "Number of the camera station, which decides the background."),
    "light": (_TEXT, "'sun', 'shade', 'overcast' or 'infrared'."),
    "wet": (_NUMBER, "How wet the animal is, 0 to 1."),
    "mud": (_NUMBER, "Share of the coat under mud or algae, 0 to 1."),
    "scars": (_WHOLE, "How many scars the animal has by this day."),
    "motion": (_NUMBER, "Length of the blur by motion, in pixels."),
    "hidden_by": (_TEXT, "What hides most of it: grass, bush, herd, murk, frame, or nothing."),
    "hidden": (_NUMBER, "Share of the animal that is hidden, 0 to 1, measured."),
    "pixels": (_WHOLE, "Pixels along the longer side of what is visible, measured."),
    "mask": (_TEXT, "The mask of what is visible: 255 the animal, 0 everything else."),
    "x": (_WHOLE, "Left edge of the box around the animal, in pixels."),
    "y": (_WHOLE, "Top edge of the box."),
    "width": (_WHOLE, "Width of the box."),
    "height": (_WHOLE, "Height of the box."),
}

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
}
# These terms are Croissant's own.
_TERMS = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field"),
    *("fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset"),
    *("jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)


def described(settings: Mapping, tables: Mapping[str, str]) -> dict:
    """Describe a drawing.

    Args:
        settings: With the keys "species", "seed", "individuals" and "pictures".
        tables: What the CSV files hold, by their names; their columns are keys of `COLUMNS`.

    Returns:
        The description, which is to be written as JSON beside the tables.
    """
    species = settings["species"].replace("_", " ")
    words = "{individuals} individuals, {pictures} pictures of each, and strangers; seed {seed}."
    return {
        "@context": _CONTEXT | {term: f"cr:{term}" for term in _TERMS},
        "@type": "sc:Dataset",
        "name": f"drawn-{species.replace(' ', '-')}",
        "description": f"Drawn animals for re-identification, {species}: {words.format(**settings)}"
        " Made by a program, no photograph was used; not for saying how well a method works on"
        " photographs.",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "license": LICENCE,
        "citeAs": CITE_AS,
        "datePublished": DATE,
        "version": VERSION,
        "isLiveDataset": False,
        "distribution": [*map(_file, tables, tables.values()), *_FILE_SETS],
        "recordSet": [_PICTURES, *map(_records, tables, tables.values())],
    }


_FILE_SETS = (
    {
        "@type": "cr:FileSet",
        "@id": "images",
        "name": "images",
        "description": "The pictures.",
        "encodingFormat": ["image/jpeg", "image/png"],
        "includes": ["images/*/*.jpg", "images/*/*.png"],
    },
    {
        "@type": "cr:FileSet",
        "@id": "masks",
        "name": "masks",
        "description": "What is visible of each animal: 255 the animal, 0 everything else.",
        "encodingFormat": "image/png",
        "includes": "masks/*/*.png",
    },
)
_PICTURES = {
    "@type": "cr:RecordSet",
    "@id": "pictures",
    "name": "pictures",
    "description": "The pixels of each picture.",
    "key": {"@id": "pictures/path"},
    "field": [
        {
            "@type": "cr:Field",
            "@id": f"pictures/{name}",
            "name": name,
            "description": words,
            "dataType": kind,
            "source": {"fileSet": {"@id": "images"}, "extract": {"fileProperty": part}},
        }
        for name, words, kind, part in (
            ("path", "The picture.", "sc:Text", "fullpath"),
            ("image", "Its pixels, RGB.", "sc:ImageObject", "content"),
        )
    ],
}


def _file(name: str, text: str) -> dict:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{len(text.encode())} B",
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def _records(name: str, text: str) -> dict:
    """Describe the rows of a table; `path` and one name of the animal tell them apart."""
    table, columns = name.removesuffix(".csv"), text.split("\n", 1)[0].split(",")
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": "One row per animal and picture.",
        "key": [{"@id": f"{table}/path"}, {"@id": f"{table}/identity"}],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table}/{column}",
                "name": column,
                "description": COLUMNS[column][1],
                "dataType": COLUMNS[column][0],
                "source": {"fileObject": {"@id": name}, "extract": {"column": column}},
            }
            for column in columns
        ],
    }
