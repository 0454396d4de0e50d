"""Answers of a trained net to input in files, texts that it writes, samples that it draws."""

from zoo.predictions.options import Asked, asked

__all__ = ["Asked", "asked"]
