"""Faults on purpose: stages that are killed or meet a full disk, and what they leave."""
