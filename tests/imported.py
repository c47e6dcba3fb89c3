# ruff: noqa: F401
"""What processes of the tests need: the server of `tests.forks` imports it, once for all."""

import snakemake.cli
import torch.distributed.run

import megalib.book.launch
import megalib.book.pages
import megalib.book.pipeline
import megalib.data.overview
import megalib.data.preparation
import megalib.identify.answers
import megalib.identify.photographs
import megalib.own.listing
import megalib.retrieval.sift
import tests.conftest
