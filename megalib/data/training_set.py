"""The training set of a MegaDescriptor: the training parts of all datasets, joined.

On the command line::

    python -m megalib.data.training_set demo DemoZebra DemoLeopard
"""

import argparse
import sys
from collections.abc import Mapping, Sequence

import pandas as pd

from megalib.data.metadata import read_metadata
from megalib.errors import UserError
from megalib.files import processes
from megalib.files.places import Run
from megalib.files.writing import sweep, whole_file


def aggregate(run: Run, datasets: Sequence[str]) -> pd.DataFrame:
    """Join the training parts of prepared datasets; write them where they have changed.

    Raises:
        UserError: a dataset has not been prepared.
    """
    combined = joined({name: read_metadata(run.metadata(name)) for name in datasets})
    content = combined.to_csv().encode()
    sweep(run.combined)
    if not run.combined.is_file() or run.combined.read_bytes() != content:
        with whole_file(run.combined) as temporary:
            temporary.write_bytes(content)
    return combined


def joined(metadata: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The training rows of prepared metadata, given by the name of their dataset.

    That name stands in a column `dataset`, and before identity ("LionData_Maskio") and path
    ("LionData/…"), so that equal names do not meet.
    """
    parts = []
    for name, rows in metadata.items():
        rows = rows[rows["split"] == "train"]
        identity, path = name + "_" + rows["identity"], name + "/" + rows["path"]
        parts.append(rows.assign(dataset=name, identity=identity, path=path))
    return pd.concat(parts)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Join prepared datasets to a training set.")
    parser.add_argument("profile", help="of the run that holds them")
    parser.add_argument("datasets", nargs="+", help="their names, in this order")
    processes.add_argument(parser)
    arguments = parser.parse_args()
    processes.obey(arguments)
    try:
        aggregate(Run(arguments.profile), arguments.datasets)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
