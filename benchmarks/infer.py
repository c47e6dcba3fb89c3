"""How fast images are embedded and matched, beside the reference way, in one run.

    python benchmarks/infer.py retrieval
    python benchmarks/infer.py retrieval --reference-queries 2000
    python benchmarks/infer.py retrieval --entries 1000000 --without-reference
    python benchmarks/infer.py features --flavour MegaDescriptor-T-224
    python benchmarks/infer.py features --flavour all --device cuda

The reference ways are written out here in our own words. Retrieval follows the classes
KnnClassifier and TopkClassifier of wildlife-tools 1.x (0.0.9 has no ranked identities): the whole
matrix of similarities and a copy of it; for the nearest image, topk, then a count of votes in each
row; for ranked individuals, topk over the whole row, the labels of all of it, and a walk in Python
along every element. Where memory does not suffice, --reference-queries measures it on fewer of the
queries, and seconds per query are compared. Features follow wildlife-tools 0.0.9: the network as
timm makes it, float32, one loader process.

Each way runs in a process of its own, so that peak memory is its own, and the ways take turns. The
limit of retrieval is the product of the matrices alone, in blocks of the same shape, into memory
that is there; the limit of features is the forward pass of a batch that is there. Of features it
also prints what share of the arithmetic of a large matrix product on the same device is reached.
"""

import argparse
import multiprocessing
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

SEED = 0
# Of a measurement; the command, since each run measures the reference anew.
KIND = ["hardware", "task", "way", "size", "precision", "command"]
BATCH = 64  # images, as `caching.cached` takes them
REFERENCE = {
    "nearest": "wildlife-tools 1.x, KnnClassifier",
    "identities": "wildlife-tools 1.x, TopkClassifier",
    "features": "wildlife-tools 0.0.9, DeepFeatures",
}


# Retrieval


def embeddings(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random queries, entries, and the entries' identities, as an array of Python strings."""
    rng = np.random.default_rng(SEED)
    query = rng.standard_normal((options.queries, options.width), dtype=np.float32)
    database = rng.standard_normal((options.entries, options.width), dtype=np.float32)
    numbers = rng.integers(0, 1000, options.entries)
    return query, database, np.array([f"animal{number}" for number in numbers], dtype=object)


def whole_matrix(query: np.ndarray, database: np.ndarray) -> torch.Tensor:
    """All similarities at once, and the copy that the reference's classifiers make of them."""
    parts = [torch.nn.functional.normalize(torch.tensor(rows)) for rows in (query, database)]
    similarity = torch.matmul(parts[0], parts[1].T).numpy()
    return torch.tensor(similarity, dtype=torch.float32)


def reference_nearest(options: argparse.Namespace) -> Callable[[], object]:
    """The nearest neighbour by the reference way: a vote of one, with its rule for ties."""
    query, database, identity = embeddings(options)
    query = query[: options.reference_queries]

    def work() -> np.ndarray:
        scores, index = whole_matrix(query, database).topk(k=1, dim=1)
        neighbours, scores = np.array(identity[index.numpy()]), scores.numpy()
        predicted = []
        for names, values in zip(neighbours, scores, strict=True):
            found, counts = np.unique(names, return_counts=True)
            winners = found[counts == counts.max()]
            if len(winners) == 1:
                winner, score = winners[0], values[names == winners[0]].mean()
            else:
                shares = np.isin(names, winners)
                means = pd.Series(values[shares]).groupby(names[shares]).mean()
                winner, score = means.idxmax(), means.max()
            predicted.append((winner, score))
        names, _ = zip(*predicted, strict=True)
        return np.array(names)

    return work


def reference_identities(options: argparse.Namespace) -> Callable[[], object]:
    """The ten nearest individuals by the reference way: sort all, walk along every element."""
    query, database, identity = embeddings(options)
    query = query[: options.reference_queries]

    def work() -> np.ndarray:
        similarity = whole_matrix(query, database)
        scores, index = similarity.topk(k=similarity.shape[1], dim=1)
        labels, scores, index = np.array(identity[index.numpy()]), scores.numpy(), index.numpy()
        ranked = []
        for number, row in enumerate(labels):
            first, visited = [], set()
            for place, name in enumerate(row):
                if name not in visited:
                    visited.add(name)
                    first.append((name, scores[number, place], index[number, place]))
            ranked.append(list(zip(*first, strict=True)))
        names, scores, index = (np.array(part)[:, :10] for part in zip(*ranked, strict=True))
        return names

    return work


def megalib_nearest(options: argparse.Namespace) -> Callable[[], object]:
    """The nearest neighbour by megalib."""
    from megalib.retrieval import search

    query, database, identity = embeddings(options)
    return lambda: identity[search.nearest(query, database, options.device)[0]]


def megalib_identities(options: argparse.Namespace) -> Callable[[], object]:
    """The ten nearest individuals by megalib."""
    from megalib.retrieval import search

    query, database, identity = embeddings(options)
    return lambda: search.nearest_individuals(query, database, identity, 10, options.device)[0]


def limit_nearest(options: argparse.Namespace) -> Callable[[], object]:
    """The product of the matrices alone, in blocks of megalib's shape that are thrown away."""
    from megalib.retrieval import search

    query, database, _ = embeddings(options)
    entries = torch.from_numpy(database).to(options.device)
    queries = torch.from_numpy(query).to(options.device)
    room = torch.empty(search.QUERIES * search.ENTRIES, device=options.device)

    def work() -> None:
        for rows in queries.split(search.QUERIES):
            for columns in entries.split(search.ENTRIES):
                shape = len(rows), len(columns)
                torch.mm(rows, columns.T, out=room[: shape[0] * shape[1]].view(shape))
        wait(options.device)

    return work


limit_identities = limit_nearest


# Features


def gallery(options: argparse.Namespace):
    """The images of a folder, or noisy pictures with 256 pixels on the shorter side."""
    from megalib import flavours
    from megalib.models import tensors

    flavour = flavours.get(options.flavour)
    names = sorted(
        path.relative_to(options.folder).as_posix()
        for path in options.folder.rglob("*")
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    )
    if not names:
        raise SystemExit(f"error: no image in {options.folder}")
    return flavour, tensors.ImageFiles(
        options.folder, names[: options.images], tensors.inference_transform(flavour)
    )


def draw_images(folder: Path, number: int) -> None:
    """Noisy pictures."""
    for index in range(number):
        pixels = np.random.default_rng(index).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((341, 256)).save(folder / f"{index:06d}.jpg")


def reference_features(options: argparse.Namespace) -> Callable[[], object]:
    """Embeddings by the reference way."""
    import timm
    from timm.layers import set_fused_attn

    flavour, data = gallery(options)
    set_fused_attn(False)
    torch.manual_seed(SEED)
    model = timm.create_model(flavour.architecture, num_classes=0, **flavour.network).eval()

    def work() -> np.ndarray:
        model.to(options.device)
        outputs = []
        for pixels, _ in torch.utils.data.DataLoader(data, 128, num_workers=1):
            with torch.no_grad():
                outputs.append(model(pixels.to(options.device)).cpu())
        return torch.cat(outputs).numpy()

    return work


def megalib_features(options: argparse.Namespace) -> Callable[[], object]:
    """Embeddings by megalib, in the precision asked for."""
    from megalib.models import networks
    from megalib.retrieval import extraction

    flavour, data = gallery(options)
    model, device = networks.untrained_network(flavour, SEED), torch.device(options.device)
    return lambda: extraction.extract(
        model, data, device, BATCH, options.workers, precision=options.precision
    )


def limit_features(options: argparse.Namespace) -> Callable[[], object]:
    """As many forward passes of one batch that lies on the device."""
    from megalib.models import networks

    flavour, data = gallery(options)
    model = networks.untrained_network(flavour, SEED).to(options.device).eval()
    size = min(BATCH, len(data))
    pixels = torch.stack([data[index][0] for index in range(size)]).to(options.device)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(options.precision)

    def work() -> None:
        with torch.inference_mode():
            for start in range(0, len(data), size):
                with torch.autocast(pixels.device.type, kind, enabled=kind is not None):
                    model(pixels[: len(data) - start])
        wait(options.device)

    return work


def arithmetic(device: str, precision: str) -> float:
    """Floating-point operations per second of a large matrix product, the best of ten."""
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    side = 2048 if device == "cpu" else 8192
    one, seconds = torch.ones(side, side, dtype=kind, device=device), []
    for _ in range(10):
        began = time.perf_counter()
        one @ one
        wait(device)
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / min(seconds)


# Measuring


def wait(device: str) -> None:
    """Until a GPU has done what it was told."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def alone(name: str, options: argparse.Namespace) -> tuple[float, float, object]:
    """Run one way in this process; return seconds, memory in GiB beyond its inputs, and result."""
    from megalib.models import devices

    work, device = globals()[name](options), torch.device(options.device)
    seconds = []
    # The limit is the best of several: a single one may fall into a slow moment of the machine.
    for _ in range(options.limit_rounds if name.startswith("limit") else 1):
        before, began = devices.peak_memory(device), time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
        memory = devices.peak_memory(device) - before
    return min(seconds), memory, result


def agreement(one: np.ndarray, other: np.ndarray) -> str:
    """How far the results of two ways agree, on the queries that both answered."""
    other = other[: len(one)]
    if one.dtype.kind == "f":
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosine = (one * other).sum(axis=1) / lengths
        nearest = []
        for rows in (one, other):
            unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            similarity = unit @ unit.T
            np.fill_diagonal(similarity, -1)
            nearest.append(similarity.argmax(axis=1))
        return (
            f"greatest difference {np.abs(one - other).max():.1e}, least cosine {cosine.min():.6f},"
            f" same nearest image for {(nearest[0] == nearest[1]).mean():.2%}"
        )
    same = (one == other).reshape(len(one), -1).all(axis=1)
    return f"{same.mean():.4%} of the answers are the same"


def hardware(device: str) -> str:
    """The GPU, or the processor and its threads."""
    from megalib.models import computer

    return computer.hardware(torch.device(device))


def measure(kind: str, options: argparse.Namespace) -> pd.DataFrame:
    """Let the ways take turns, print the best of each, and return them as rows."""
    ways = ["megalib", "limit"] if options.without_reference else ["reference", "megalib", "limit"]
    done = {
        "reference": options.images if kind == "features" else options.reference_queries,
        "megalib": options.images if kind == "features" else options.queries,
    }
    done["limit"] = done["megalib"]
    best, results = {}, {}
    for _ in range(options.rounds):
        for way in ways:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                told = pool.submit(alone, f"{way}_{kind}", options).result()
            seconds, memory, results[way] = told
            best[way] = min(best.get(way, (seconds, memory)), (seconds, memory))
    what = "images" if kind == "features" else "queries"
    size = f"{options.queries} x {options.entries} x {options.width}"
    if kind == "features":
        size = f"{options.images} images, {options.flavour}"
    same = ""
    if "reference" in results:
        same = agreement(results["reference"], results["megalib"])
    rows, machine = [], hardware(options.device)
    print(f"\n{kind}, {size}, {options.precision}; {machine}; torch {torch.__version__}")
    for way, (seconds, memory) in best.items():
        rate = done[way] / seconds
        ratio = rate / (done["reference"] / best["reference"][0]) if same else np.nan
        name = {"reference": REFERENCE[kind], "limit": "limit"}.get(way, way)
        print(
            f"{name:>34}  {done[way]} {what}  {seconds:8.3f} s  {rate:9.1f} {what}/s  "
            f"{memory:6.2f} GiB beyond inputs" + (f"  {ratio:6.2f} x" if same else "")
        )
        rows.append(
            {
                "hardware": machine,
                "torch": torch.__version__,
                "task": kind,
                "way": name,
                "size": size if done[way] == done["megalib"] else f"{size}, on {done[way]} {what}",
                "precision": "fp32" if way == "reference" else options.precision,
                "seconds": round(seconds, 3),
                "per_second": round(rate, 1),
                "ratio": round(ratio, 2),
                "memory_gib": round(memory, 2),
                "agreement": same if way == "megalib" else "",
                "command": shlex.join(["python", *sys.argv]),
            }
        )
    if done["reference"] < done["megalib"] and same:
        print(f"{'':>34}  the reference on {done['reference']} {what}; ratios per query")
    if same:
        print(f"{'':>34}  {same}")
    return pd.DataFrame(rows)


def tell_arithmetic(options: argparse.Namespace, rows: pd.DataFrame) -> None:
    """Print the share of the device's arithmetic that forward passes and extraction reach."""
    from megalib import flavours
    from megalib.training import cost

    operations = cost.flops(flavours.get(options.flavour))
    most = arithmetic(options.device, options.precision)
    for way in ("megalib", "limit"):
        reached = operations * rows.loc[rows["way"] == way, "per_second"].iloc[0]
        print(
            f"{way:>34}  {reached / 1e12:.3f} of {most / 1e12:.3f} TFLOP/s of a matrix product: "
            f"{reached / most:.0%}"
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["retrieval", "features"])
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=40_000)
    parser.add_argument("--width", type=int, default=1536)
    parser.add_argument("--reference-queries", type=int, help="where all do not fit into memory")
    parser.add_argument("--flavour", default="MegaDescriptor-T-224", help="or all of these")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="of prepared images, in place of noisy ones")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit-rounds", type=int, default=5, help="of the limit, in each round")
    parser.add_argument("--without-reference", action="store_true", help="too large for it")
    parser.add_argument("--record", action="store_true", help="keep the rows in data/measured")
    options = parser.parse_args()

    from megalib import flavours
    from megalib.evaluation import benchmarks
    from megalib.models import devices

    options.device = str(devices.pick_device(options.device))
    options.precision = devices.pick_precision(options.precision, torch.device(options.device))
    options.reference_queries = min(options.reference_queries or options.queries, options.queries)
    if options.what == "retrieval":
        if options.precision != "fp32":
            parser.error("similarities are float32: --precision is for features")
        for kind in ("nearest", "identities"):
            rows = measure(kind, options)
            if options.record:
                benchmarks.keep("retrieval", rows, KIND)
        return
    with tempfile.TemporaryDirectory(prefix="megalib-benchmark-") as scratch:
        if options.folder is None:
            options.folder = Path(scratch)
            draw_images(options.folder, options.images)
        named = options.flavour
        for options.flavour in flavours.MEGADESCRIPTORS if named == "all" else [named]:
            options.images = len(gallery(options)[1])
            rows = measure("features", options)
            tell_arithmetic(options, rows)
            if options.record:
                benchmarks.keep("features", rows, KIND)


if __name__ == "__main__":
    main()
