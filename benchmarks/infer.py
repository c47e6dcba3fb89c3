"""How fast images are embedded and matched, beside the reference way, in one run.

    python benchmarks/infer.py retrieval
    python benchmarks/infer.py features --flavour MegaDescriptor-T-224 --scale published

The reference way is that of wildlife-tools 0.0.9. Retrieval: the whole matrix of similarities, then
topk over it; for ranked identities a full sort and a walk along each row. Features: the network as
timm makes it, float32, one loader process. Each way runs in a process of its own, so that peak
memory is its own; the memory of the embeddings themselves is printed as the limit.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
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
    query, database, _ = embeddings(options)
    return lambda: torch.tensor(whole_matrix(query, database)).topk(k=1, dim=1)


def megalib_nearest(options: argparse.Namespace) -> Callable[[], object]:
    """The nearest neighbour by megalib."""
    from megalib import retrieval

    query, database, _ = embeddings(options)
    return lambda: retrieval.nearest(query, database)


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
    return lambda: retrieval.nearest_individuals(query, database, identity, 10)


def gallery(options: argparse.Namespace):
    """Noisy pictures with 256 pixels on the shorter side, as a network wants them."""
    from megalib import flavours, images

    folder = Path(tempfile.mkdtemp(prefix="megalib-benchmark-"))
    for index in range(options.images):
        pixels = np.random.default_rng(index).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((341, 256)).save(folder / f"{index}.jpg")
    flavour = flavours.get(options.flavour, options.scale)
    names = [f"{index}.jpg" for index in range(options.images)]
    return flavour, images.ImageFiles(folder, names, images.inference_transform(flavour))


def reference_features(options: argparse.Namespace) -> Callable[[], object]:
    """Embeddings by the reference way."""
    import timm
    from timm.layers import set_fused_attn

    flavour, data = gallery(options)
    set_fused_attn(False)
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


def alone(name: str, options: argparse.Namespace, answer: multiprocessing.Queue) -> None:
    """Run one way in this process; report seconds and peak memory in GiB beyond its inputs."""
    from megalib import devices

    work, cpu = globals()[name](options), torch.device("cpu")
    before, began = devices.peak_memory(cpu), time.perf_counter()
    work()
    answer.put((time.perf_counter() - began, devices.peak_memory(cpu) - before))


def main() -> None:
    """Measure pairs of ways in turn; print the best of each."""
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
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    kinds = ["nearest", "identities"] if options.what == "retrieval" else ["features"]
    context = multiprocessing.get_context("spawn")
    for kind in kinds:
        best = {}
        for _ in range(options.rounds):
            for way in ("reference", "megalib"):
                answer = context.Queue()
                process = context.Process(target=alone, args=(f"{way}_{kind}", options, answer))
                process.start()
                found = answer.get()
                process.join()
                best[way] = min(best.get(way, found), found)
        ratio = best["reference"][0] / best["megalib"][0]
        print(f"\n{kind}: {torch.get_num_threads()} threads, torch {torch.__version__}")
        for way, (seconds, memory) in best.items():
            print(f"{way:>10}  {seconds:8.2f} s  {memory:6.2f} GiB beyond what went in")
        print(f"     ratio  {ratio:8.2f}")


if __name__ == "__main__":
    main()
