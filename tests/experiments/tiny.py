"""A run small enough for a test, and what a card must tell."""

CARD = {
    "name",
    "command",
    "config",
    "data",
    "parameters",
    "seed",
    "steps",
    "seconds",
    "device",
    "date",
    "metrics",
}
TINY = {
    "model": "flow",
    "data": "digits",
    "net": {"image_size": 8, "widths": [8, 8], "attention": [4], "num_classes": 10},
    "recipe": {"steps": 2, "batch_size": 4},
}
