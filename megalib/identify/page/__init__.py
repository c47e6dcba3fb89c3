"""The page of candidates, on which a person decides: cards of new animals, small copies, the page.

::

    cards (what the page says) → thumbnails (what it shows) → gallery (the page)
"""
