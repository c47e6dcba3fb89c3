"""What `data.preparation` does, step by step.

::

    planning (which images) → finished (which are there) → making (on threads) → cropping (one)
"""
