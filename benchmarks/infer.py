"""How fast images are embedded and matched, beside the reference way, in one run.

    python benchmarks/infer.py retrieval
    python benchmarks/infer.py features --flavour MegaDescriptor-T-224 --scale published

The reference way is that of wildlife-tools 0.0.9, written out here, since that version does not run
with pandas 3. Retrieval: the whole matrix of similarities, as float64 once more, topk over it and a
count of votes in each row; for ranked identities a full sort and a walk along each row. Features:
the network as timm makes it, float32, one loader process. Each way runs in a process of its own, so
that peak memory is its own. The limit of retrieval is the product of the matrices alone.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SEED = 0


def embeddings(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random queries, entries, and the entries' identities."""
    rng = np.random.default_rng(SEED)
    query = rng.standard_normal((options.queries, options.width), dtype=np.float32)
    database = rng.standard_normal((options.entries, options.width), dtype=np.float32)
    identity = np.array([f"animal{n}" for n in rng.integers(0, 1000, options.entries)])
    return query, database, identity


def whole_matrix(query: np.ndarray, database: np.ndarray) -> np.ndarray:
    """All similarities at once."""
    parts = [torch.nn.functional.normalize(torch.tensor(rows)) for rows in (query, database)]
    return torch.matmul(parts[0], parts[1].T).numpy()


def reference_nearest(options: argparse.Namespace) -> Callable[[], object]:
    """The nearest neighbour by the reference way."""
    query, database, identity = embeddings(options)

    def work() -> np.ndarray:
        similarity = torch.tensor(whole_matrix(query, database), dtype=float)
        predicted = []
        for row in similarity.topk(k=1, dim=1).indices:
            values, counts = np.unique(row, return_counts=True)
            predicted.append(values[np.argmax(counts)])
        return identity[np.array(predicted)]

    return work


def megalib_nearest(options: argparse.Namespace) -> Callable[[], object]:
    """The nearest neighbour by megalib."""
    from megalib import retrieval

    query, database, identity = embeddings(options)
    return lambda: identity[retrieval.nearest(query, database)[0]]


def product_nearest(options: argparse.Namespace) -> Callable[[], object]:
    """The product of the matrices alone, in blocks that are thrown away."""
    query, database, _ = embeddings(options)
    parts = [torch.nn.functional.normalize(torch.from_numpy(rows)) for rows in (query, database)]

    def work() -> None:
        for block in parts[0].split(1024):
            for entries in parts[1].split(8192):
                block @ entries.T

    return work


product_identities = product_nearest


def reference_identities(options: argparse.Namespace) -> Callable[[], object]:
    """The ten nearest individuals by the reference way: sort, then walk along each row."""
    query, database, identity = embeddings(options)

    def work() -> list[list[str]]:
        order = np.argsort(-whole_matrix(query, database), axis=1)
        ranked = []
        for row in order:
            found: list[str] = []
            for name in identity[row]:
                if name not in found:
                    found.append(name)
                if len(found) == 10:
                    break
            ranked.append(found)
        return ranked

    return work


def megalib_identities(options: argparse.Namespace) -> Callable[[], object]:
    """The ten nearest individuals by megalib."""
    from megalib import retrieval

    query, database, identity = embeddings(options)
    return lambda: retrieval.nearest_individuals(query, database, identity, 10)[0]


def gallery(options: argparse.Namespace):
    """The images of a folder, or noisy pictures with 256 pixels on the shorter side."""
    from megalib import flavours, images

    folder = options.folder
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="megalib-benchmark-"))
        for index in range(options.images):
            pixels = np.random.default_rng(index).integers(0, 255, (24, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).resize((341, 256)).save(folder / f"{index:06d}.jpg")
    flavour = flavours.get(options.flavour, options.scale)
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    )
    if not names:
        raise SystemExit(f"error: no image in {folder}")
    return flavour, images.ImageFiles(
        folder, names[: options.images], images.inference_transform(flavour)
    )


def reference_features(options: argparse.Namespace) -> Callable[[], object]:
    """Embeddings by the reference way."""
    import timm
    from timm.layers import set_fused_attn

    flavour, data = gallery(options)
    set_fused_attn(False)
    torch.manual_seed(SEED)
    model = timm.create_model(flavour.architecture, num_classes=0, **flavour.network).eval()

    def work() -> np.ndarray:
        outputs = []
        for pixels, _ in torch.utils.data.DataLoader(data, 128, num_workers=1):
            with torch.no_grad():
                outputs.append(model(pixels).cpu())
        return torch.cat(outputs).numpy()

    return work


def megalib_features(options: argparse.Namespace) -> Callable[[], object]:
    """Embeddings by megalib, in the precision asked for."""
    from megalib import features, networks

    flavour, data = gallery(options)
    model, device = networks.untrained(flavour, SEED), torch.device("cpu")
    return lambda: features.extract(
        model, data, device, workers=options.workers, precision=options.precision
    )


def alone(name: str, options: argparse.Namespace) -> tuple[float, float, object]:
    """Run one way in this process; return seconds, memory in GiB beyond its inputs, and result."""
    from megalib import devices

    work, cpu = globals()[name](options), torch.device("cpu")
    before, began = devices.peak_memory(cpu), time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    return seconds, devices.peak_memory(cpu) - before, result


def agreement(one: object, other: object) -> str:
    """How far the results of two ways agree."""
    if isinstance(one, np.ndarray) and one.dtype.kind == "f":
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
    same = (np.asarray(one) == np.asarray(other)).reshape(len(one), -1).all(axis=1)
    return f"{same.mean():.4%} of the answers are the same"


def main() -> None:
    """Measure the ways in turn; print the best of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["retrieval", "features"])
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=40_000)
    parser.add_argument("--width", type=int, default=1536)
    parser.add_argument("--flavour", default="MegaDescriptor-T-224")
    parser.add_argument("--scale", default="demo")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="of prepared images, in place of noisy ones")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--without-reference", action="store_true", help="too large for it")
    options = parser.parse_args()
    kinds = ["nearest", "identities"] if options.what == "retrieval" else ["features"]
    ways = ["megalib", "product"] if options.what == "retrieval" else ["megalib"]
    if not options.without_reference:
        ways.insert(0, "reference")
    context = multiprocessing.get_context("spawn")
    for kind in kinds:
        best, results = {}, {}
        for _ in range(options.rounds):
            for way in ways:
                with ProcessPoolExecutor(1, context) as pool:
                    done = pool.submit(alone, f"{way}_{kind}", options).result()
                seconds, memory, results[way] = done
                best[way] = min(best.get(way, (seconds, memory)), (seconds, memory))
        print(f"\n{kind}: {torch.get_num_threads()} threads, torch {torch.__version__}")
        for way, (seconds, memory) in best.items():
            ratio = best[ways[0]][0] / seconds
            print(f"{way:>10}  {seconds:8.2f} s  {ratio:6.2f} x  {memory:6.2f} GiB beyond inputs")
        if "reference" in results:
            print(f"{'':>10}  {agreement(results['reference'], results['megalib'])}")


if __name__ == "__main__":
    main()
