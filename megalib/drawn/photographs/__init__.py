"""Photographs: an animal in its place, as a camera sees it."""
