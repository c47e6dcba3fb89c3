"""Helper library of the MegaDescriptor compendium: small modules with one job each."""

import os
import warnings

# Progress is shown by plain tqdm, so the widgets that this warning misses are never used.
warnings.filterwarnings("ignore", "IProgress not found")

# Larger pictures would fill the memory. OpenCV reads this when it is first imported, which several
# modules do; here it stands before all of them.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "250000000")
