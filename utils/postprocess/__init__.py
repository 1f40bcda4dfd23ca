"""What is done to scores after the net."""
