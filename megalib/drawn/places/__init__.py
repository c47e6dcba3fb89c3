"""Places: the backgrounds in which animals are met, and the light that falls there."""
