"""Nets, their backbones and layers, and their files."""
