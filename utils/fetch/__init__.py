"""Downloads: with resume, checks and locks."""
