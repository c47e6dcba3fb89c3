"""What photographs of known individuals teach about new ones, before any answer is given.

::

    occasions (what belongs together) → candidates (who is compared) → key_points, shared_points
      → scores (how alike) → rehearsal (known ones play new ones) → learned (threshold, probability)
                                                                  → expected (how well it works)
"""
