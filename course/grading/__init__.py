"""Exercises: what their check cells call, how they are released, and how they are graded."""

from .checks import check

__all__ = ["check"]
