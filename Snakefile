# The pipeline: which notebook runs with which parameters, and what depends on what.
#
#   snakemake                                  the demo, and its book
#   snakemake --config profile=lions epochs=5  another profile, one parameter changed

import atexit
import json
import re
import sys
from contextlib import ExitStack
from pathlib import Path

from megalib import stamp
from megalib.book import parameters, pipeline
from megalib.data.catalogue import DRAWN
from megalib.errors import UserError
from megalib.files import locks
from megalib.files.places import DATA, PUBLISHED, ROOT, Run, resolve, shown
from megalib.flavours import POCKET, SIFT

try:
    VALUES = pipeline.parameters_of(config)
except UserError as error:
    sys.exit(f"error: {error}")

PLAN = parameters.known() | VALUES  # what a profile leaves out is as in the notebooks
RUN = Run(PLAN["profile"])
DATASETS = PLAN["datasets"]
FLAVOURS = PLAN["flavours"]
BASELINES = PLAN["baselines"]
NETWORKS = [name for name in BASELINES if name != SIFT]  # the baselines that are networks
ONE_DATASET, ONE_FLAVOUR = "{dataset}", "{flavour}"
TRAINS = PLAN["weights"] == "trained"


def path(file):
    """A path as rules write it."""
    return shown(Path(file))


def sources(notebook):
    """The notebook, the code behind it and its templates: if one changes, the notebook runs again."""
    code = pipeline.code_of(notebook)
    templates = [page for file in code if (page := file.with_suffix(".html")).is_file()]
    return [path(file) for file in (parameters.notebooks()[notebook], *code, *templates)]


# Facts and measurements that pages show; `flavours.csv` also decides how networks are made.
FIGURES = [path(file) for file in sorted(DATA.rglob("*.csv"))]
RECIPES = path(PUBLISHED / "flavours.csv")


def settings(notebook, **chosen):
    """The parameters of one notebook as JSON; a job runs again when they change."""
    return json.dumps(parameters.for_notebook(notebook, VALUES, chosen), sort_keys=True)


# Datasets are prepared and pocket networks trained side by side, one core each; MegaDescriptors one
# after another, with all cores and one accelerator.
THREADS, GPUS = (1, 0) if set(FLAVOURS) <= set(POCKET) else (workflow.cores, 1)

PYTHON = sys.executable  # jobs run in this environment, whether or not it has been activated
# OMP_NUM_THREADS keeps two jobs from fighting over the same cores. A job ends with snakemake, also
# when that is killed: $PPID is the number of snakemake's process in the shell that it starts.
EXECUTE = (
    "OMP_NUM_THREADS={threads} exec {PYTHON:q} -m megalib.book.pipeline {params.notebook:q} "
    "{output.notebook:q} --parameters {params.settings:q} --end-with $PPID"
)


wildcard_constraints:
    dataset="|".join(map(re.escape, DATASETS)),
    flavour="|".join(map(re.escape, [*FLAVOURS, *NETWORKS])),


if workflow.is_main_process and (count := pipeline.outdate_from_ahead(RUN)):
    print(f"{count} files of {path(RUN.folder)} are dated ahead of the clock: they are made anew")


onstart:
    # One pipeline at a time works on a run. A kill gives the lock up, too: nothing needs unlocking.
    alone = ExitStack()
    atexit.register(alone.close)
    try:
        alone.enter_context(locks.held(RUN.folder / "pipeline", f"run of {RUN.profile}", wait=False))
    except UserError as error:
        sys.exit(f"error: {error}")


rule all:
    input:
        path(RUN.book / "_build" / "html" / "index.html"),


# A first result within a minute: needs nothing that others make, and draws a few animals of its own.
rule first_result:
    input:
        RECIPES,
        sources("0_try"),
    output:
        notebook=path(RUN.notebook("0_try", "try")),
    params:
        notebook="0_try",
        settings=settings("0_try", datasets=[dataset.name for dataset in DRAWN]),
    threads: workflow.cores
    shell:
        EXECUTE


rule first_page:
    input:
        [path(ROOT / "megalib" / "book" / name) for name in ("one_page.py", "one_page.html")],
        notebook=path(RUN.notebook("0_try", "try")),
    output:
        path(RUN.page("try")),
    shell:
        "exec {PYTHON:q} -m megalib.book.one_page {input.notebook:q} {output:q} --end-with $PPID"


rule results:
    input:
        FIGURES,
        rules_sources=sources("4_results"),
        accuracies=[path(RUN.results(name)) for name in [*FLAVOURS, *BASELINES]],
    output:
        notebook=path(RUN.notebook("4_results", "results")),
        headline=path(RUN.figure("headline.png")),
        tables=[path(RUN.table(name)) for name in ("accuracies.csv", "ledger.csv")],
    params:
        notebook="4_results",
        settings=settings("4_results"),
    shell:
        EXECUTE


# What was recorded of the demo, with the accuracies of this run beside it.
rule truth:
    input:
        FIGURES,
        rules_sources=sources("4_truth"),
        accuracies=[path(RUN.results(name)) for name in [*FLAVOURS, *BASELINES]],
    output:
        notebook=path(RUN.notebook("4_truth", "truth")),
    params:
        notebook="4_truth",
        settings=settings("4_truth"),
    shell:
        EXECUTE


def own_pictures(wildcards):
    """What is in a folder or list of one's own: a job runs again when that changes."""
    if wildcards.dataset not in VALUES.get("own", {}):
        return ""
    from megalib.own import changes

    return changes.digest(resolve(VALUES["own"][wildcards.dataset]))


rule prepare:
    input:
        sources("1_prepare"),
    output:
        notebook=path(RUN.notebook("1_prepare", ONE_DATASET)),
        metadata=path(RUN.metadata(ONE_DATASET)),
    params:
        notebook="1_prepare",
        settings=lambda wildcards: settings("1_prepare", dataset=wildcards.dataset),
        own=own_pictures,
    threads: THREADS if len(DATASETS) > 1 else workflow.cores
    shell:
        EXECUTE


rule datasets:
    input:
        FIGURES,
        sources("0_datasets"),
        [path(RUN.metadata(name)) for name in DATASETS],
    output:
        notebook=path(RUN.notebook("0_datasets", "datasets")),
    params:
        notebook="0_datasets",
        settings=settings("0_datasets"),
    shell:
        EXECUTE


rule aggregate:
    input:
        [path(RUN.metadata(name)) for name in DATASETS],
        [path(file) for file in stamp.files_of("import megalib.data.training_set")],
    output:
        path(RUN.combined),
    params:
        profile=RUN.profile,
        datasets=DATASETS,
    shell:
        "exec {PYTHON:q} -m megalib.data.training_set {params.profile:q} {params.datasets:q} --end-with $PPID"


rule train:
    input:
        RECIPES,
        sources("2_train"),
        path(RUN.combined),
    output:
        notebook=path(RUN.notebook("2_train", ONE_FLAVOUR)),
        # `update` leaves the weights of an earlier run in place: the notebook keeps them if recipe,
        # images and training code are still the same.
        weights=update(path(RUN.weights(ONE_FLAVOUR) / "model.safetensors")),
        history=update(path(RUN.history(ONE_FLAVOUR))),
    params:
        notebook="2_train",
        settings=lambda wildcards: settings("2_train", flavour=wildcards.flavour),
    threads: THREADS
    resources:
        gpus=GPUS,
    shell:
        EXECUTE


def weights_of(wildcards):
    """Weights that the run trains itself; those of the hub or of a folder are no input."""
    trained_here = TRAINS and wildcards.flavour in FLAVOURS
    return path(RUN.weights(wildcards.flavour) / "model.safetensors") if trained_here else []


def inference_of(wildcards):
    """Settings of an inference; baselines are run as they were released."""
    released = {"weights": "hub", "compare_untrained": False}
    chosen = released if wildcards.flavour in NETWORKS else {}
    return settings("3_infer", flavour=wildcards.flavour, **chosen)


rule infer:
    input:
        RECIPES,
        sources("3_infer"),
        [path(RUN.metadata(name)) for name in DATASETS],
        weights=weights_of,
    output:
        notebook=path(RUN.notebook("3_infer", ONE_FLAVOUR)),
        results=path(RUN.results(ONE_FLAVOUR)),
    params:
        notebook="3_infer",
        settings=inference_of,
    threads: THREADS
    resources:
        gpus=GPUS,
    shell:
        EXECUTE


rule sift:
    input:
        sources("3_sift"),
        [path(RUN.metadata(name)) for name in DATASETS],
    output:
        notebook=path(RUN.notebook("3_sift", "sift")),
        results=path(RUN.results(SIFT)),
    params:
        notebook="3_sift",
        settings=settings("3_sift"),
    threads: THREADS
    shell:
        EXECUTE


# Notebooks that look closer at one network: the first of the profile.
CLOSER = {
    "4_days": "days",
    "4_errors": "errors",
    "4_field": "field",
    "4_new_animals": "new_animals",
    "4_sensitivity": "sensitivity",
    "5_own_data": "own_data",
}
# Questions of the field are asked of the network that was trained on the earlier days.
ALSO = {"4_field": [path(RUN.notebook("4_days", "days")), path(DATA / "noted.csv")]}
for stage, page in CLOSER.items():

    rule:
        name:
            page
        input:
            rules_sources=sources(stage),
            accuracies=path(RUN.results(FLAVOURS[0])),
            also=ALSO.get(stage, []),
        output:
            notebook=path(RUN.notebook(stage, page)),
        params:
            notebook=stage,
            settings=settings(
                stage, flavour=FLAVOURS[0], example_of=DATASETS[0], weights=PLAN["weights"]
            ),
        threads: THREADS
        resources:
            gpus=GPUS,
        shell:
            EXECUTE


# Notebooks that show facts and need no run.
FACTS = {"2_flavours": "flavours", "4_published": "published"}
for stage, page in FACTS.items():

    rule:
        name:
            page
        input:
            FIGURES,
            sources(stage),
        output:
            notebook=path(RUN.notebook(stage, page)),
            figures=[path(RUN.figure("published.svg"))] if stage == "4_published" else [],
        params:
            notebook=stage,
            settings=settings(stage),
        shell:
            EXECUTE


LESSONS = [lesson.stem for lesson in parameters.lessons()]
for earlier, lesson in zip([None, *LESSONS], LESSONS):

    rule:
        name:
            lesson
        input:
            sources(lesson),
            # The first one draws and prepares by that notebook what all lessons need.
            sources("1_prepare") if not earlier else [],
            path(RUN.notebook(earlier, "lesson")) if earlier else [],
        output:
            notebook=path(RUN.notebook(lesson, "lesson")),
        params:
            notebook=lesson,
            settings=settings(lesson),
        threads: THREADS
        shell:
            EXECUTE


PAGES = [
    path(RUN.notebook("0_try", "try")),
    path(RUN.notebook("0_datasets", "datasets")),
    *(path(RUN.notebook("1_prepare", name)) for name in DATASETS),
    *(path(RUN.notebook("2_train", name)) for name in FLAVOURS if TRAINS),
    *(path(RUN.notebook("3_infer", name)) for name in [*FLAVOURS, *NETWORKS]),
    *(path(RUN.notebook("3_sift", "sift")) for name in BASELINES if name == SIFT),
    path(RUN.notebook("4_results", "results")),
    path(RUN.notebook("4_truth", "truth")),
    *(path(RUN.notebook(stage, page)) for stage, page in (CLOSER | FACTS).items()),
    *(path(RUN.notebook(lesson, "lesson")) for lesson in LESSONS),
]


rule colophon:
    input:
        PAGES,
        sources("6_colophon"),
    output:
        notebook=path(RUN.notebook("6_colophon", "colophon")),
    params:
        notebook="6_colophon",
        settings=settings("6_colophon"),
    shell:
        EXECUTE


rule book:
    input:
        FIGURES,
        notebooks=[*PAGES, path(RUN.notebook("6_colophon", "colophon"))],
        headline=path(RUN.figure("headline.png")),
        published=path(RUN.figure("published.svg")),
        pages=[path(file) for file in sorted((ROOT / "book").glob("*.*"))],
        static=[path(file) for file in sorted((ROOT / "book" / "_static").iterdir())],
        # All modules: the library reference is made of their documentation.
        code=[path(file) for file in sorted((ROOT / "megalib").rglob("*.py"))],
        settings=["_config.yml", "_toc.yml", "benchmarks/README.md"],
    output:
        path(RUN.book / "_build" / "html" / "index.html"),
    params:
        profile=RUN.profile,
    shell:
        "exec {PYTHON:q} -m megalib.book.pages {params.profile:q} {input.notebooks:q} --end-with $PPID"
