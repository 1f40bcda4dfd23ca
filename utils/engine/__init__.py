"""Training, evaluation, prediction; what they keep."""
