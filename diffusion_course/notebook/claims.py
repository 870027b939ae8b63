"""Sentences about numbers that stand beside them: printed as they are when they hold, and otherwise when they do not."""


def claim(sentence: str, holds: object) -> None:
    """Print "Holds: sentence.", or "Does not hold here: sentence." holds: anything with a truth value, e.g. a tensor of one element.

    What a text says of an output, it says here, so that another device, seed or version cannot make it false in silence.
    """
    print(f"{'Holds' if bool(holds) else 'Does not hold here'}: {sentence.rstrip('.')}.")
