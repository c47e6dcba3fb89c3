"""Helper library of the MegaDescriptor compendium: small modules with one job each."""

import warnings

# Progress is shown by plain tqdm, so the widgets that this warning misses are never used.
warnings.filterwarnings("ignore", "IProgress not found")
